"""externalId: an import may be repeated without a time limit."""

import asyncio
import json
import uuid
from typing import Any

import pytest
from sqlalchemy import func, select, update

from api.posts.once import body_digest
from store.models import IdempotencyKey, Post
from tests.api.conftest import Client
from tests.stack import Stack

DISTANT = "2029-02-01T14:00:00Z"


def post_body(stack: Stack, **more: Any) -> dict[str, Any]:
    account = stack.accounts["twitter"]
    targets = [{"platform": account.platform, "accountId": account.id}]
    row = str(uuid.uuid4())
    return {"content": f"row {row}", "platforms": targets, "scheduledFor": DISTANT, "externalId": row, **more}


def now(stack: Stack, **more: Any) -> dict[str, Any]:
    body = post_body(stack, publishNow=True, **more)
    del body["scheduledFor"]
    return body


async def count(stack: Stack, body: dict[str, Any]) -> int:
    async with stack.database.reading() as session:
        return await session.scalar(select(func.count()).where(Post.external_id == body["externalId"])) or 0


async def test_a_repeat_answers_the_post_as_it_is(api: Client, stack: Stack) -> None:
    body = post_body(stack)
    first = await api.send_post(body)
    assert (first.status_code, first.json()["externalId"]) == (201, body["externalId"])
    changed = await api.patch(f"/v1/posts/{first.json()['id']}", json={"tags": ["changed since"]})
    again = await api.send_post(dict(reversed(body.items())))
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json() == changed.json()
    assert await count(stack, body) == 1


async def test_repeated_publish_now_publishes_once(api: Client, stack: Stack) -> None:
    body = now(stack)
    answers = await asyncio.gather(*(api.send_post(body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert {answer.json()["status"] for answer in answers} == {"published"}
    assert len(await stack.public(body["content"])) == 1


async def test_a_repeat_after_its_time_is_answered_too(api: Client, stack: Stack) -> None:
    body = post_body(stack, scheduledFor="2020-01-01T00:00:00Z")
    valid = await api.send_post({**body, "scheduledFor": DISTANT})
    async with stack.database.transaction() as session:
        # As if the time in the first body had passed since.
        earlier = update(Post).where(Post.id == valid.json()["id"])
        await session.execute(earlier.values(external_digest=body_digest(body).hex()))
    again = await api.send_post(body)
    assert (again.status_code, again.json()["id"]) == (200, valid.json()["id"])


async def test_another_body_is_refused_and_names_the_post(api: Client, stack: Stack) -> None:
    body = post_body(stack)
    first = (await api.send_post(body)).json()
    other = await api.send_post({**body, "content": "another"})
    problem = other.json()
    assert (other.status_code, problem["code"], problem["param"]) == (409, "external_id_taken", "externalId")
    assert first["id"] in problem["error"]
    assert problem["postId"] == problem["errors"][0]["postId"] == first["id"]
    assert (await api.send_post({**body, "content": 5})).status_code == 400


async def test_a_validation_says_which_body_is_another(api: Client, stack: Stack) -> None:
    body = post_body(stack)
    first = (await api.send_post(body)).json()

    async def verdict(**more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = (await api.post("/v1/posts/validate", json={**body, **more})).json()
        return answer

    assert (await verdict())["valid"] is True
    for change in ({"content": "another"}, {"content": "another", "isDraft": True}):
        (problem,) = (await verdict(**change))["errors"]
        assert (problem["code"], problem["postId"]) == ("external_id_taken", first["id"])


async def test_it_is_free_once_the_post_is_deleted(api: Client, stack: Stack) -> None:
    body = post_body(stack)
    first = (await api.send_post(body)).json()
    assert (await api.delete(f"/v1/posts/{first['id']}")).status_code == 200
    again = await api.send_post(body)
    assert (again.status_code, again.json()["id"] == first["id"]) == (201, False)


async def test_external_id_works_with_idempotency_keys(api: Client, stack: Stack) -> None:
    body, key, other = post_body(stack), {"Idempotency-Key": str(uuid.uuid4())}, {"Idempotency-Key": str(uuid.uuid4())}
    first = await api.send_post(body, **key)
    assert (await api.send_post(body, **key)).content == first.content
    again = await api.send_post(body, **other)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    async with stack.database.transaction() as session:
        expired = update(IdempotencyKey).where(IdempotencyKey.key == key["Idempotency-Key"])
        await session.execute(expired.values(expires_at=func.now()))
    # The key is free again, but its row still exists, so another statement inserts the post.
    after = await api.send_post(body, **key)
    assert (after.status_code, after.json()["id"]) == (200, first.json()["id"])
    refused = await api.send_post({**body, "content": "another"}, **key)
    assert (refused.status_code, refused.json()["code"]) == (409, "external_id_taken")
    assert await count(stack, body) == 1


async def test_workspaces_do_not_share_ids(api: Client, stranger: Client, stack: Stack) -> None:
    body = {"content": "a draft", "externalId": str(uuid.uuid4())}
    assert [(await client.send_post(body)).status_code for client in (api, stranger)] == [201, 201]


async def test_it_cannot_be_changed(api: Client, stack: Stack) -> None:
    body = post_body(stack)
    post = (await api.send_post(body)).json()
    where = f"/v1/posts/{post['id']}"
    for other in ("other", None):
        answer = await api.patch(where, json={"externalId": other})
        assert (answer.status_code, answer.json()["param"]) == (400, "externalId")
    assert (await api.patch(where, json=post)).json()["externalId"] == body["externalId"]


@pytest.mark.parametrize("external_id", ["", " ", "x" * 256, 5, "a\u0000b", "\ud800", ["x"]])
async def test_invalid_external_ids_are_400(api: Client, stack: Stack, external_id: Any) -> None:
    content = json.dumps({"content": "x", "externalId": external_id})
    answer = await api.post("/v1/posts", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["param"]) == (400, "externalId")


async def test_the_list_finds_it(api: Client, stack: Stack) -> None:
    body = post_body(stack)
    post = (await api.send_post(body)).json()
    response = await api.get("/v1/posts", params={"externalId": body["externalId"]})
    assert [entry["id"] for entry in response.json()["posts"]] == [post["id"]]
    assert (await api.get("/v1/posts", params={"externalId": "of nothing"})).json()["posts"] == []
