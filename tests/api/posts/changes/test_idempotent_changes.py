"""Idempotency-Key on requests that change a post: PATCH, retry, edit, resolve and DELETE."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from store.models import IdempotencyKey, Post, Revision
from tests.api.conftest import Client, read_answer
from tests.api.posts.changes.test_resolve import naming, unconfirmed
from tests.stack import Stack

DISTANT = "2029-02-01T14:00:00Z"
Ask = Callable[[], Awaitable[httpx.Response]]


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


async def make(api: Client, stack: Stack, account: str = "twitter", **body: Any) -> dict[str, Any]:
    target = {"platform": "twitter", "accountId": stack.accounts[account].id}
    return read_answer(await api.send_post({"content": f"keyed {uuid.uuid4()}", "platforms": [target], **body}), 201)


async def patching(api: Client, stack: Stack) -> Ask:
    post, key = await make(api, stack, scheduledFor=DISTANT), new_key()
    return lambda: api.patch(f"/v1/posts/{post['id']}", json={"scheduledFor": "2029-03-01T14:00:00Z"}, headers=key)


async def publishing(api: Client, stack: Stack) -> Ask:
    post, key = await make(api, stack, scheduledFor=DISTANT), new_key()
    return lambda: api.patch(f"/v1/posts/{post['id']}", json={"publishNow": True}, headers=key)


async def retrying(api: Client, stack: Stack) -> Ask:
    await stack.fault("twitter", "reject", "publish", status=403)
    post, key = await make(api, stack, publishNow=True), new_key()
    assert post["status"] == "failed"
    return lambda: api.post(f"/v1/posts/{post['id']}/retry", headers=key)


async def editing(api: Client, stack: Stack) -> Ask:
    post, key = await make(api, stack, publishNow=True), new_key()
    return lambda: api.post(f"/v1/posts/{post['id']}/edit", json={"content": f"edited {key}"}, headers=key)


async def resolving(api: Client, stack: Stack) -> Ask:
    post, key = await unconfirmed(stack, api, f"keyed {uuid.uuid4()}"), new_key()
    body = naming(post, outcome="not_published")
    return lambda: api.post(f"/v1/posts/{post['id']}/resolve", json=body, headers=key)


async def deleting(api: Client, stack: Stack) -> Ask:
    post, key = await make(api, stack, scheduledFor=DISTANT), new_key()
    return lambda: api.delete(f"/v1/posts/{post['id']}", headers=key)


EVERY = [patching, publishing, retrying, editing, resolving, deleting]


@pytest.mark.parametrize("begin", EVERY)
async def test_a_repeat_is_answered_as_the_first(api: Client, stack: Stack, begin: Any) -> None:
    ask = await begin(api, stack)
    first, again = await ask(), await ask()
    assert (first.status_code, again.status_code) == (200, 200), first.text
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("begin", EVERY)
async def test_concurrent_requests_change_once(api: Client, stack: Stack, begin: Any) -> None:
    ask = await begin(api, stack)
    answers = await asyncio.gather(*(ask() for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


@pytest.mark.parametrize("begin", [patching, publishing, retrying, editing, resolving])
async def test_repeat_answers_if_the_first_request_died(api: Client, stack: Stack, begin: Any) -> None:
    ask = await begin(api, stack)
    first = await ask()
    post = first.json()
    async with stack.database.transaction() as session:
        unanswered = update(IdempotencyKey).where(IdempotencyKey.post_id == post["id"])
        await session.execute(unanswered.values(response_status=None, response_body=None))
    again = await ask()
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert (again.json()["status"], again.json()["scheduledFor"]) == (post["status"], post["scheduledFor"])
    for target in post["platforms"]:
        assert len(await stack.public(target["content"])) <= 1
    assert (await ask()).content == again.content


async def test_an_edit_that_was_saved_and_not_begun_is_made_by_its_repeat(api: Client, stack: Stack) -> None:
    post, key = await make(api, stack, publishNow=True), new_key()
    edit = f"/v1/posts/{post['id']}/edit"
    assert (await api.post(edit, json={"content": f"saved {key}"}, headers=key)).status_code == 200
    async with stack.database.transaction() as session:
        # As if the api had died after it had saved the second edit.
        revision = (await session.scalars(select(Revision).where(Revision.post_id == post["id"]))).one()
        revision.state = "waiting"
        revision.body = {"content": f"begun {key}", "target_ids": revision.body["target_ids"]}
        unanswered = update(IdempotencyKey).where(IdempotencyKey.post_id == post["id"])
        await session.execute(unanswered.values(response_status=None, response_body=None))
    again = await api.post(edit, json={"content": f"saved {key}"}, headers=key)
    (target,) = again.json()["platforms"]
    assert (target["content"], len(target["editHistory"])) == (f"begun {key}", 2)
    async with stack.database.transaction() as session:
        assert await session.scalar(select(func.count()).where(Revision.post_id == post["id"])) == 1


async def test_a_refused_edit_is_refused_again_and_not_sent_again(api: Client, stack: Stack) -> None:
    post, key = await make(api, stack, publishNow=True), new_key()
    await stack.fault(
        "twitter",
        "reject",
        "edit",
        status=403,
        body={
            "type": "about:blank",
            "title": "Forbidden",
            "detail": "You are not permitted to perform this action.",
            "status": 403,
        },
    )
    edit = f"/v1/posts/{post['id']}/edit"
    first, again = [await api.post(edit, json={"content": f"refused {key}"}, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (422, 422)
    assert first.json() == again.json()
    attempts = (await api.get(f"/v1/posts/{post['id']}/attempts")).json()["attempts"]
    assert sum(attempt["step"] == "edit" for attempt in attempts) == 1


async def test_repeat_after_another_change_changes_nothing(api: Client, stack: Stack) -> None:
    post, key = await make(api, stack, scheduledFor=DISTANT), new_key()
    where = f"/v1/posts/{post['id']}"
    first = await api.patch(where, json={"content": "first"}, headers=key)
    await api.patch(where, json={"content": "second"})
    assert (await api.patch(where, json={"content": "first"}, headers=key)).content == first.content
    assert (await api.get(where)).json()["content"] == "second"


async def test_a_repeated_delete_answers_though_the_post_is_gone(api: Client, stack: Stack) -> None:
    post, key = await make(api, stack, scheduledFor=DISTANT), new_key()
    where = f"/v1/posts/{post['id']}"
    first = await api.delete(where, headers=key)
    assert (await api.delete(where)).status_code == 404
    assert (await api.delete(where, headers=key)).content == first.content


async def test_a_key_belongs_to_one_request(api: Client, stack: Stack) -> None:
    key = new_key()
    post, other = await make(api, stack, scheduledFor=DISTANT), await make(api, stack, scheduledFor=DISTANT)
    where = f"/v1/posts/{post['id']}"
    await api.patch(where, json={"content": "mine"}, headers=key)
    others = [
        api.patch(where, json={"content": "not mine"}, headers=key),
        api.patch(f"/v1/posts/{other['id']}", json={"content": "mine"}, headers=key),
        api.delete(where, headers=key),
        api.post(f"{where}/retry", headers=key),
        api.send_post({"content": "mine"}, **key),
    ]
    for answer in await asyncio.gather(*others):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert (await api.get(where)).json()["content"] == "mine"


async def test_a_refused_change_uses_up_no_key(api: Client, stack: Stack) -> None:
    post, key = await make(api, stack, scheduledFor=DISTANT), new_key()
    where = f"/v1/posts/{post['id']}"
    assert (await api.patch(where, json={"timezone": "Mars"}, headers=key)).status_code == 400
    assert (await api.post(f"{where}/retry", headers=key)).status_code == 409
    assert (await api.delete("/v1/posts/post_unknown", headers=key)).status_code == 404
    answer = await api.patch(where, json={"content": "accepted"}, headers=key)
    assert (answer.status_code, "idempotent-replayed" in answer.headers) == (200, False)


async def test_a_key_is_free_after_24_hours(api: Client, stack: Stack) -> None:
    post, key = await make(api, stack, scheduledFor=DISTANT), new_key()
    where = f"/v1/posts/{post['id']}"
    await api.patch(where, json={"content": "yesterday"}, headers=key)
    async with stack.database.transaction() as session:
        expired = update(IdempotencyKey).where(IdempotencyKey.key == key["Idempotency-Key"])
        await session.execute(expired.values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    answer = await api.patch(where, json={"content": "today"}, headers=key)
    assert (answer.json()["content"], "idempotent-replayed" in answer.headers) == ("today", False)


async def test_an_unanswered_key_of_a_deleted_post_is_409(api: Client, stack: Stack) -> None:
    post, key = await make(api, stack, scheduledFor=DISTANT), new_key()
    where = f"/v1/posts/{post['id']}"
    await api.patch(where, json={"content": "gone"}, headers=key)
    async with stack.database.transaction() as session:
        unanswered = update(IdempotencyKey).where(IdempotencyKey.post_id == post["id"])
        await session.execute(unanswered.values(response_status=None, response_body=None))
        await session.delete(await session.get_one(Post, post["id"]))
    assert (await api.patch(where, json={"content": "gone"}, headers=key)).status_code == 409


async def test_an_invalid_key_is_400(api: Client, stack: Stack) -> None:
    post = await make(api, stack, scheduledFor=DISTANT)
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/retry"), ("POST", "/edit"), ("POST", "/resolve")):
        where = f"/v1/posts/{post['id']}{path}"
        answer = await api.request(method, where, json={}, headers={"Idempotency-Key": "x" * 256})
        assert answer.status_code == 400
        assert "Idempotency-Key" in {problem["param"] for problem in answer.json()["errors"]}
