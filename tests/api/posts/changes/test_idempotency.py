"""Idempotency-Key: one post and one response, whatever happens in between."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from api.posts.once import keyed_request
from store.models import IdempotencyKey
from store.posts.idempotency import acquire_key
from tests.api.conftest import Client, problems
from tests.stack import Stack


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def publish(stack: Stack, content: str) -> dict[str, Any]:
    accounts = ("twitter", "plain")
    targets = [{"platform": "twitter", "accountId": stack.accounts[name].id} for name in accounts]
    return {"content": content, "platforms": targets, "publishNow": True}


def schedule(stack: Stack, content: str) -> dict[str, Any]:
    return {**publish(stack, content), "publishNow": False, "scheduledFor": "2029-02-01T14:00:00Z"}


async def count(api: Client, content: str) -> int:
    return sum(post["content"] == content for post in (await api.get("/v1/posts?limit=100")).json()["posts"])


class TestReplay:
    @pytest.mark.parametrize("make", [publish, schedule])
    async def test_answers_byte_for_byte(self, api: Client, stack: Stack, make: Any) -> None:
        key, body = new_key(), make(stack, f"replay {make.__name__}")
        first = await api.send_post(body, **key)
        again = await api.send_post(body, **key)
        assert first.status_code == again.status_code == 201
        assert first.content == again.content
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        assert await count(api, body["content"]) == 1

    async def test_equal_as_json_is_equal(self, api: Client, stack: Stack) -> None:
        key, body = new_key(), schedule(stack, "key order")
        first = await api.send_post(body, **key)
        shuffled = json.dumps(dict(reversed(body.items())), indent=3)
        again = await api.post(
            "/v1/posts", content=shuffled, headers={**key, "Content-Type": "application/json; charset=utf-8"}
        )
        assert again.content == first.content

    async def test_holds_after_the_post_changed_and_was_deleted(self, api: Client, stack: Stack) -> None:
        key, body = new_key(), schedule(stack, "changed since")
        first = await api.send_post(body, **key)
        where = f"/v1/posts/{first.json()['id']}"
        assert (await api.patch(where, json={"content": "other"})).status_code == 200
        assert (await api.send_post(body, **key)).content == first.content
        assert (await api.delete(where)).status_code == 200
        assert (await api.send_post(body, **key)).content == first.content

    async def test_holds_though_the_request_would_no_longer_be_valid(self, api: Client, stack: Stack) -> None:
        account = await stack.connect("twitter")
        key = new_key()
        target = {"platform": "twitter", "accountId": account.id}
        body = {"content": "account leaves", "platforms": [target], "scheduledFor": "2029-02-01T14:00:00Z"}
        first = await api.send_post(body, **key)
        async with stack.database.transaction() as session:
            await session.delete(await session.get_one(type(account), (account.workspace_id, account.id)))
        assert (await api.send_post(body)).status_code == 422
        assert (await api.send_post(body, **key)).content == first.content


class TestReuse:
    async def test_another_body_is_refused(self, api: Client, stack: Stack) -> None:
        key = new_key()
        await api.send_post(schedule(stack, "one body"), **key)
        response = await api.send_post(schedule(stack, "another body"), **key)
        answer = response.json()
        assert response.status_code == 422
        assert (answer["type"], answer["code"]) == ("idempotency_error", "idempotency_key_reused")
        assert await count(api, "another body") == 0

    async def test_another_body_is_refused_even_if_it_is_not_valid(self, api: Client, stack: Stack) -> None:
        key = new_key()
        await api.send_post(schedule(stack, "valid body"), **key)
        assert (await api.send_post({"content": 5}, **key)).json()["code"] == "idempotency_key_reused"

    async def test_a_refused_request_uses_up_no_key(self, api: Client, stack: Stack) -> None:
        key, body = new_key(), schedule(stack, "second try")
        assert (await api.send_post({**body, "platforms": []}, **key)).status_code == 400
        assert (await api.send_post({**body, "content": "x" * 30_000}, **key)).status_code == 422
        response = await api.send_post(body, **key)
        assert response.status_code == 201
        assert "idempotent-replayed" not in response.headers

    async def test_two_customers_may_send_the_same_key(self, api: Client, stranger: Client) -> None:
        key, body = new_key(), {"content": "same key"}
        mine, theirs = await api.send_post(body, **key), await stranger.send_post(body, **key)
        assert mine.json()["id"] != theirs.json()["id"]

    @pytest.mark.parametrize("key", ["", "x" * 256, "clé", "tab\there"])
    async def test_an_invalid_key_is_400(self, api: Client, key: str) -> None:
        response = await api.post(
            "/v1/posts", json={"content": "x"}, headers=[(b"Idempotency-Key", key.encode("latin-1"))]
        )
        assert response.status_code == 400
        assert response.json()["param"] == "Idempotency-Key"

    @pytest.mark.parametrize("length", [226, 227, 239, 240, 255])
    async def test_a_key_of_any_length_makes_a_post_that_goes_out_once(
        self, api: Client, stack: Stack, length: int
    ) -> None:
        body, key = publish(stack, f"under a key of {length}"), f"{length} {'k' * (length - 4)}"
        answers = [await api.send_post(body, **{"Idempotency-Key": key}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json()["status"] == "published"
        assert answers[0].content == answers[1].content
        assert len(await stack.public(body["content"])) == len(body["platforms"])


class TestRaces:
    @pytest.mark.parametrize("make", [publish, schedule])
    async def test_forty_concurrent_repeats_make_one_post(self, api: Client, stack: Stack, make: Any) -> None:
        key, body = new_key(), make(stack, f"forty {make.__name__}")
        answers = await asyncio.gather(*(api.send_post(body, **key) for _ in range(40)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
        assert await count(api, body["content"]) == 1
        if make is publish:
            assert answers[0].json()["status"] == "published"
            assert len(await stack.public(body["content"])) == 2

    async def test_second_request_continues_after_a_crash(self, api: Client, stack: Stack) -> None:
        """The first process inserted the rows, and was killed before it started anything."""
        key, body = new_key(), publish(stack, "taken over")
        post = await stack.save("taken over", [stack.accounts["twitter"]])
        request = keyed_request(api.workspace_id, key["Idempotency-Key"], body)
        assert request is not None
        async with stack.database.transaction() as session:
            assert await acquire_key(session, request, post.id, datetime.now(UTC), None) == 1
        response = await api.send_post(body, **key)
        assert response.headers["idempotent-replayed"] == "true"
        assert (response.json()["id"], response.json()["status"]) == (post.id, "published")
        assert (await api.send_post(body, **key)).content == response.content

    async def test_a_post_deleted_before_its_answer_was_kept_is_a_conflict(self, api: Client, stack: Stack) -> None:
        key, body = new_key(), publish(stack, "gone")
        request = keyed_request(api.workspace_id, key["Idempotency-Key"], body)
        assert request is not None
        async with stack.database.transaction() as session:
            await acquire_key(session, request, "post_" + "0" * 32, datetime.now(UTC), None)
        response = await api.send_post(body, **key)
        assert (response.status_code, problems(response)[0]["code"]) == (409, "conflict")


class TestExpiry:
    async def test_after_24_hours_the_key_makes_a_new_post_with_another_workflow(
        self, api: Client, stack: Stack
    ) -> None:
        key, body = new_key(), schedule(stack, "a day later")
        first = (await api.send_post(body, **key)).json()["id"]
        async with stack.database.transaction() as session:
            await session.execute(
                update(IdempotencyKey)
                .where(IdempotencyKey.key == key["Idempotency-Key"])
                .values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
            )
        answers = await asyncio.gather(*(api.send_post(body, **key) for _ in range(10)))
        (second,) = {answer.json()["id"] for answer in answers}
        assert second != first
        name = key["Idempotency-Key"]
        assert (await stack.read(first)).workflow_id == f"{api.workspace_id}/{name}"
        assert (await stack.read(second)).workflow_id == f"{api.workspace_id}~2/{name}"
        for post_id in (first, second):
            handle = stack.client.get_workflow_handle((await stack.read(post_id)).workflow_id)
            description = await handle.describe()
            assert description.status is not None
            assert description.status.name == "RUNNING"
