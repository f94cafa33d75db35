"""`GET /v1/posts/{postId}/history`: every change of a post and its author, in one time line that outlives the post."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from domain.ids import new_id
from store.audit import MOST_ENTRIES, delete_surplus_events
from store.database import Database
from store.maintenance.waiting import claim_released_posts
from store.models import Account, ApiKey, AuditEvent, Post, Target
from store.workspaces.keys import digest
from tests.api.conftest import Client
from tests.stack import Stack


def tweet(stack: Stack, content: str, **more: Any) -> dict[str, Any]:
    account = stack.accounts["plain"]
    return {"content": content, "platforms": [{"platform": "twitter", "accountId": account.id}], **more}


def later(days: int = 30) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds").replace("+00:00", "Z")


async def events(api: httpx.AsyncClient, post_id: str, **query: Any) -> list[dict[str, Any]]:
    answer = await api.get(f"/v1/posts/{post_id}/history", params=query)
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["events"]
    return entries


async def api_key_id(stack: Stack) -> str:
    async with stack.database.reading() as session:
        key = await session.scalar(select(ApiKey.id).where(ApiKey.sha256 == digest(stack.api_key)))
        assert key
        return key


async def read_lines(database: Database, post_id: str) -> list[AuditEvent]:
    async with database.reading() as session:
        return list(await session.scalars(select(AuditEvent).where(AuditEvent.post_id == post_id)))


async def test_each_change_records_its_actor(stack: Stack, api: Client) -> None:
    post = (await api.send_post(tweet(stack, "first words", scheduledFor=later()))).json()
    address = f"/v1/posts/{post['id']}"
    moved = later(31)
    patched = await api.patch(address, json={"content": "other words", "scheduledFor": moved, "tags": ["a"]})
    assert patched.status_code == 200
    assert (await api.delete(address)).status_code == 200
    created, changed, deleted = await events(api, post["id"])
    actor = {"type": "api_key", "id": await api_key_id(stack)}
    assert [event["action"] for event in (created, changed, deleted)] == ["created", "changed", "deleted"]
    assert all(event["actor"] == actor for event in (created, changed, deleted))
    assert changed["version"] == 2
    assert changed["changes"] == [
        {"field": "scheduledFor", "from": post["scheduledFor"], "to": patched.json()["scheduledFor"]},
        {"field": "content", "from": "11 characters", "to": "11 characters"},
        {"field": "tags"},
    ]
    assert changed["summary"].endswith("content from 11 characters to 11 characters and tags.")


async def test_audit_events_hold_no_content(stack: Stack, api: Client) -> None:
    secret = "https://example.com/photo.jpg?signature=5ecret"
    post = (await api.send_post(tweet(stack, "a secret plan", scheduledFor=later()))).json()
    target = tweet(stack, "")["platforms"][0]
    body = {
        "content": "another secret plan",
        "mediaItems": [{"type": "image", "url": secret}],
        "platforms": [target | {"customContent": "a third secret plan"}],
        "tags": ["secret campaign"],
    }
    assert (await api.patch(f"/v1/posts/{post['id']}", json=body)).status_code == 200
    (changed,) = await read_lines(stack.database, post["id"])
    assert "secret" not in str(changed.details)
    named = [(change["field"], change.get("platform")) for change in changed.details["changes"]]
    assert named == [("content", None), ("mediaItems", None), ("tags", None), ("customContent", "twitter")]


async def test_history_outlives_its_post(stack: Stack, api: Client) -> None:
    await stack.fault(
        "twitter",
        "reject",
        "publish",
        status=403,
        body={"type": "about:blank", "title": "Forbidden", "detail": "You are not permitted to perform this action."},
    )
    post = (await api.send_post(tweet(stack, "refused, then public", publishNow=True))).json()
    assert post["status"] == "failed"
    retried = (await api.post(f"/v1/posts/{post['id']}/retry")).json()
    assert retried["status"] == "published"
    before = await events(api, post["id"])
    assert [event["action"] for event in before] == ["created", "failed", "retried", "confirmed", "published"]
    assert before[1]["httpStatus"] == 403
    assert before[4]["platformPostId"] == retried["platforms"][0]["platformPostId"]
    assert [event["actor"]["type"] for event in before] == ["api_key", "worker", "api_key", "worker", "worker"]
    assert (await api.delete(f"/v1/posts/{post['id']}")).status_code == 200
    after = await events(api, post["id"])
    assert after[:-1] == before
    assert after[-1]["action"] == "deleted"
    assert (await api.get(f"/v1/posts/{post['id']}")).status_code == 404


async def test_publishing_adds_no_audit_line(stack: Stack, api: Client) -> None:
    """The attempts already record what a worker does; publishing a post must not need more statements."""
    post = (await api.send_post(tweet(stack, "public without a line", publishNow=True))).json()
    assert post["status"] == "published"
    assert await read_lines(stack.database, post["id"]) == []


async def test_a_person_s_decision_has_its_line(stack: Stack, api: Client) -> None:
    account = await stack.connect("telegram", workspace_id=api.workspace_id)
    await stack.fault("telegram", "accept_then_drop", "publish")
    target = {"platform": "telegram", "accountId": account.id}
    post = (await api.send_post({"content": "seen?", "platforms": [target], "publishNow": True})).json()
    assert post["platforms"][0]["status"] == "unconfirmed"
    body = target | {"outcome": "published", "platformPostId": "42"}
    assert (await api.post(f"/v1/posts/{post['id']}/resolve", json=body)).status_code == 200
    entries = await events(api, post["id"])
    resolved = entries[-1]
    assert [event["action"] for event in entries].count("unconfirmed") == 1
    assert (resolved["action"], resolved["accountId"], resolved["platformPostId"]) == ("resolved", account.id, "42")
    assert resolved["changes"] == [{"field": "status", "from": "unconfirmed", "to": "published"}]
    assert "it is public as 42" in resolved["summary"]


async def test_a_refused_change_leaves_no_line(stack: Stack, api: Client) -> None:
    post = (await api.send_post(tweet(stack, "public, not to be changed", publishNow=True))).json()
    assert (await api.patch(f"/v1/posts/{post['id']}", json={"content": "too late"})).status_code == 409
    assert (await api.post(f"/v1/posts/{post['id']}/retry")).status_code == 409
    assert await read_lines(stack.database, post["id"]) == []


async def test_a_repeated_request_leaves_one_line(stack: Stack, api: Client) -> None:
    post = (await api.send_post(tweet(stack, "changed once", scheduledFor=later()))).json()
    for _ in range(2):
        headers = {"Idempotency-Key": f"change-{post['id']}"}
        answer = await api.patch(f"/v1/posts/{post['id']}", json={"content": "the change"}, headers=headers)
        assert answer.status_code == 200
    assert [line.action for line in await read_lines(stack.database, post["id"])] == ["changed"]


async def test_pages_hold_every_line_once(stack: Stack, api: Client) -> None:
    post = (await api.send_post(tweet(stack, "paged", scheduledFor=later()))).json()
    for number in range(4):
        await api.patch(f"/v1/posts/{post['id']}", json={"content": f"words {number}"})
    whole, lines, query = await events(api, post["id"]), [], {"limit": 2}
    while True:
        page = (await api.get(f"/v1/posts/{post['id']}/history", params=query)).json()
        assert len(page["events"]) <= 2
        lines += page["events"]
        if not page["hasMore"]:
            assert page["cursor"] is None
            break
        query = {"limit": 2, "cursor": page["cursor"]}
    assert lines == whole
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ({"limit": "0"}, "invalid_field_value", "limit"),
        ({"cursor": "eyJpZCI6MTAwfQ"}, "invalid_field_value", "cursor"),
        ({"cursor": "no cursor"}, "invalid_field_value", "cursor"),
        ({"page": "2"}, "unknown_parameter", "page"),
    ],
)
async def test_invalid_history_queries_are_refused(api: Client, query: dict[str, str], code: str, param: str) -> None:
    answer = await api.get(f"/v1/posts/{new_id('post')}/history", params=query)
    assert (answer.status_code, answer.json()["code"], answer.json()["param"]) == (400, code, param)


@pytest.mark.parametrize("post_id", [new_id("post"), "post_1", "nonsense"], ids=["unknown", "short", "nonsense"])
async def test_history_of_an_unknown_post_is_404(api: Client, post_id: str) -> None:
    answer = await api.get(f"/v1/posts/{post_id}/history")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_history_of_another_workspace_is_not_found(stack: Stack, api: Client, stranger: Client) -> None:
    post = (await api.send_post(tweet(stack, "not yours", scheduledFor=later()))).json()
    assert (await stranger.get(f"/v1/posts/{post['id']}/history")).status_code == 404
    await api.delete(f"/v1/posts/{post['id']}")
    assert (await stranger.get(f"/v1/posts/{post['id']}/history")).status_code == 404
    assert (await api.get(f"/v1/posts/{post['id']}/history")).status_code == 200


async def test_a_key_is_named_if_it_has_a_name(stack: Stack, api: Client) -> None:
    post = (await api.send_post(tweet(stack, "by a key with a name", scheduledFor=later()))).json()
    key = await api_key_id(stack)
    async with stack.database.transaction() as session:
        await session.execute(update(ApiKey).where(ApiKey.id == key).values(name="Editorial office"))
    try:
        (created,) = await events(api, post["id"])
        assert created["actor"] == {"type": "api_key", "id": key, "name": "Editorial office"}
        assert created["summary"] == 'API key "Editorial office" created the post.'
    finally:
        async with stack.database.transaction() as session:
            await session.execute(update(ApiKey).where(ApiKey.id == key).values(name=""))
        await api.delete(f"/v1/posts/{post['id']}")


async def test_history_says_how_late_a_post_began(stack: Stack, api: Client) -> None:
    post = (await api.send_post(tweet(stack, "waited for a worker", publishNow=True))).json()
    async with stack.database.transaction() as session:
        row = (await stack.read(post["id"])).targets[0]
        assert row.begun_at
        early = row.begun_at - timedelta(seconds=42)
        target = await session.merge(row)
        target.due_at = early
    late = [event for event in await events(api, post["id"]) if event["action"] == "late"]
    assert len(late) == 1
    assert "waited 42 s until a worker had begun" in late[0]["summary"]


async def test_no_more_than_the_newest_lines_of_a_post_are_kept(stack: Stack, api: Client) -> None:
    post = (await api.send_post(tweet(stack, "changed too often", scheduledFor=later()))).json()
    async with stack.database.transaction() as session:
        row = await session.get_one(Post, post["id"])
        many = {"workspace_id": row.workspace_id, "post_id": row.id, "action": "changed", "actor_type": "api_key"}
        for number in range(MOST_ENTRIES + 3):
            at = row.created_at + timedelta(seconds=number)
            session.add(
                AuditEvent(at=at, actor_id=None, platform=None, account_id=None, details={"version": number}, **many)
            )
    async with stack.worker_database.transaction() as session:
        assert await delete_surplus_events(session, datetime.now(UTC), 20) == 1
    lines = await read_lines(stack.database, post["id"])
    assert min(line.details["version"] for line in lines) == 3
    assert len(lines) == MOST_ENTRIES
    async with stack.worker_database.transaction() as session:
        assert await delete_surplus_events(session, datetime.now(UTC), 20) == 0


async def test_a_fault_of_this_service_is_not_called_a_refusal_of_the_platform(stack: Stack, api: Client) -> None:
    post = (await api.send_post(tweet(stack, "no room for its media", scheduledFor=later()))).json()
    async with stack.database.transaction() as session:
        row = await session.get_one(Post, post["id"])
        where = {"workspace_id": row.workspace_id, "post_id": row.id, "actor_type": "worker", "actor_id": None}
        account = {"platform": "twitter", "account_id": post["platforms"][0]["accountId"]}
        for code in ("no_disk_space", "http_503"):
            details = {"code": code, "decision": "trying again in 2 s"}
            session.add(AuditEvent(at=row.created_at, action="refused", details=details, **where, **account))
    ours, theirs = [event["summary"] for event in await events(api, post["id"]) if event["action"] == "refused"]
    assert ours.startswith("This service could not send it to X account"), ours
    assert theirs.startswith("X account"), theirs


async def test_each_post_of_a_request_for_many_has_its_line(stack: Stack, api: Client) -> None:
    post = (await api.send_post(tweet(stack, "one of many", scheduledFor=later()))).json()
    answer = await api.post(
        "/v1/posts/bulk/delete", json={"ids": [post["id"]]}, headers={"Idempotency-Key": f"many-{post['id']}"}
    )
    assert answer.status_code == 200, answer.text
    created, deleted = await events(api, post["id"])
    assert (created["action"], deleted["action"]) == ("created", "deleted")
    assert deleted["actor"] == {"type": "api_key", "id": await api_key_id(stack)}


async def test_released_post_has_its_line(stack: Stack, api: Client) -> None:
    account = await stack.revoked("twitter")
    target = {"platform": "twitter", "accountId": account.id}
    post = (await api.send_post({"content": "held, released", "platforms": [target], "publishNow": True})).json()
    assert post["platforms"][0]["status"] == "held"
    async with stack.database.transaction() as session:
        await session.execute(
            update(Target).where(Target.post_id == post["id"]).values(hold_reason="account_needs_reconnecting")
        )
        await session.execute(update(Account).where(Account.id == account.id).values(refused_at=None))
    async with stack.worker_database.transaction() as session:
        now = datetime.now(UTC)
        # The stack's own worker may have come first.
        await claim_released_posts(session, now, released_before=now - timedelta(minutes=10), limit=200)
    actions = [event["action"] for event in await events(api, post["id"])]
    assert actions[:3] == ["created", "held", "released"]
