"""Pauses over HTTP: definite, named, repeated safely, and ended only with a word on what was missed."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.schedule import rfc3339
from tests.api.conftest import Client, problems, read_answer
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("no_pause_remains")

NOW = {"Prefer": "wait=0"}


async def begin(api: Client, status: int = 201, **body: Any) -> Any:
    return read_answer(await api.post("/v1/pauses", json={"scope": "workspace", **body}), status)


async def resume(api: Client, pause: Any, status: int = 200, **body: Any) -> Any:
    return read_answer(await api.post(f"/v1/pauses/{pause['id']}/resume", json=body), status)


def post_body(stack: Stack, text: str, account: str = "plain", **when: Any) -> dict[str, Any]:
    named = stack.accounts[account]
    target = {"platform": named.platform, "accountId": named.id}
    return {"content": text, "platforms": [target], **(when or {"publishNow": True})}


def soon(seconds: float = 1.5) -> dict[str, str]:
    return {"scheduledFor": rfc3339(datetime.now(UTC) + timedelta(seconds=seconds))}


async def test_a_pause_is_definite_named_and_ends(api: Client, stack: Stack) -> None:
    pause = await begin(api, reason="a crisis")
    assert (pause["status"], pause["inFlight"], pause["missed"]) == ("paused", [], 0)
    assert pause["by"]["type"] == "api_key"
    created = await api.send_post(post_body(stack, "missed by a pause", **soon()))
    assert created.status_code == 201
    path = f"/v1/posts/{created.json()['id']}"
    post = await shown_as(api, path, "held")
    (target,) = post["platforms"]
    assert (post["status"], target["waitsFor"]) == ("publishing", "pause")
    assert (target["holdReason"], target["errorCode"]) == ("paused", "paused")
    assert (await api.get(f"/v1/pauses/{pause['id']}")).json()["missed"] == 1
    ended = await resume(api, pause, missed="publish")
    assert ended["result"] == {"published": 1, "shifted": 0, "skipped": 0, "stillPaused": 0}
    assert (ended["status"], ended["missed"]) == ("ended", 0)
    assert (await shown_as(api, path, "published"))["status"] == "published"
    assert len(await stack.public("missed by a pause")) == 1


async def shown_as(api: Client, path: str, status: str) -> Any:
    async with asyncio.timeout(60):
        while (post := (await api.get(path)).json())["platforms"][0]["status"] != status:  # noqa: ASYNC110 no event
            await asyncio.sleep(0.1)
    return post


async def test_a_repeated_pause_is_the_same(api: Client) -> None:
    first = await begin(api)
    second = await begin(api, 200, reason="again")
    assert (second["id"], second["since"], second["reason"]) == (first["id"], first["since"], None)


async def test_a_pause_with_missed_posts_ends_only_with_a_policy(api: Client, stack: Stack) -> None:
    pause = await begin(api)
    created = (await api.send_post(post_body(stack, "skipped over http", **soon()))).json()
    path = f"/v1/posts/{created['id']}"
    await shown_as(api, path, "held")
    refused = await resume(api, pause, 400)
    assert (refused["code"], refused["param"]) == ("missing_required_field", "missed")
    preview = await resume(api, pause, missed="skip", dryRun=True)
    assert (preview["status"], preview["result"]["skipped"]) == ("paused", 1)
    assert (await api.get(path)).json()["platforms"][0]["status"] == "held"
    assert (await resume(api, pause, missed="skip"))["result"]["skipped"] == 1
    post = (await api.get(path)).json()
    assert (post["status"], post["skipReason"]) == ("draft", "paused")
    history = (await api.get(f"{path}/history")).json()["events"]
    assert any("ended a pause" in event["summary"] for event in history)
    assert (await resume(api, pause, missed="publish"))["result"]["skipped"] == 1, "a repeat has the same answer"


async def test_a_missed_post_is_scheduled_again_and_shows_when_it_goes_out(api: Client, stack: Stack) -> None:
    pause, tag = await begin(api), f"again-{uuid.uuid4().hex}"
    for number in range(2):
        body = post_body(stack, f"with spacing {number}", **soon(1.5 + number / 10)) | {"tags": [tag]}
        created = (await api.send_post(body)).json()
    path = f"/v1/posts/{created['id']}"
    missed = await shown_as(api, path, "held")
    await resume(api, pause, missed="publish", spacing=3600)
    post = (await api.get(path)).json()
    assert (post["status"], post["platforms"][0]["status"]) == ("scheduled", "pending")
    assert post["scheduledFor"] == missed["scheduledFor"]
    wait = datetime.fromisoformat(post["dueAt"]) - datetime.now(UTC)
    assert timedelta(minutes=58) < wait < timedelta(minutes=61)
    listed = {
        status: [entry["id"] for entry in (await api.get(f"/v1/posts?tag={tag}&status={status}")).json()["posts"]]
        for status in ("scheduled", "publishing")
    }
    assert created["id"] in listed["scheduled"]
    assert created["id"] not in listed["publishing"]
    counts = (await api.get(f"/v1/posts/counts?tag={tag}&by=status")).json()["counts"]
    assert {"status": "scheduled", "posts": 1} in counts, counts
    # The answer can be sent back.
    assert (await api.patch(path, json=post)).json()["dueAt"] == post["dueAt"]


async def test_a_publish_now_is_refused_in_a_pause_and_a_scheduled_post_is_not(api: Client, stack: Stack) -> None:
    account = stack.accounts["plain"]
    await begin(api, scope="account", platform=account.platform, accountId=account.id)
    refused = await api.send_post(post_body(stack, "now in a pause"))
    assert refused.status_code == 409
    (problem,) = problems(refused)
    assert (problem["code"], problem["param"], problem["accountId"]) == ("paused", "account", account.id)
    later = await api.send_post(post_body(stack, "later", **soon(3600)))
    assert later.status_code == 201
    patched = await api.patch(f"/v1/posts/{later.json()['id']}", json={"publishNow": True})
    assert (patched.status_code, patched.json()["code"]) == (409, "paused")
    free = await api.send_post(post_body(stack, "another account", "twitter"))
    assert free.status_code == 201


async def test_a_retry_is_refused_in_a_pause(api: Client, stack: Stack) -> None:
    await stack.fault("twitter", "reject", "publish", status=403)
    failed = (await api.send_post(post_body(stack, "retried in a pause"))).json()
    assert failed["status"] == "failed"
    pause = await begin(api)
    refused = await api.post(f"/v1/posts/{failed['id']}/retry", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "paused")
    await resume(api, pause)
    assert (await api.post(f"/v1/posts/{failed['id']}/retry", json={})).json()["status"] == "published"


async def test_a_create_that_is_repeated_in_a_pause_gets_its_first_answer(api: Client, stack: Stack) -> None:
    headers = {"Idempotency-Key": f"before-the-pause-{stack.workspace_id}"}
    body = post_body(stack, "created before a pause")
    first = await api.send_post(body, **headers)
    await begin(api)
    second = await api.send_post(body, **headers)
    assert (second.status_code, second.json()["id"]) == (201, first.json()["id"])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "scope"),
        ({"scope": "campaign"}, "scope"),
        ({"scope": "account"}, "platform"),
        ({"scope": "account", "platform": "twiter", "accountId": "x"}, "platform"),
        ({"scope": "workspace", "platform": "twitter"}, "platform"),
        ({"scope": "workspace", "reason": "x" * 501}, "reason"),
        ({"scope": "workspace", "until": "tomorrow"}, "until"),
    ],
)
async def test_a_bad_body_is_named(api: Client, body: dict[str, Any], param: str) -> None:
    response = await api.post("/v1/pauses", json=body)
    assert response.status_code == 400
    assert response.json()["param"] == param


async def test_an_unknown_account_is_not_paused(api: Client) -> None:
    body = {"scope": "account", "platform": "twitter", "accountId": "tw_none"}
    response = await api.post("/v1/pauses", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "account_not_found")


async def test_another_workspace_sees_and_ends_no_pause(api: Client, stranger: Client, stack: Stack) -> None:
    pause = await begin(api)
    assert (await stranger.get(f"/v1/pauses/{pause['id']}")).status_code == 404
    assert (await stranger.post(f"/v1/pauses/{pause['id']}/resume", json={})).status_code == 404
    assert (await stranger.get("/v1/pauses")).json()["pauses"] == []


async def test_pauses_are_listed_in_pages(api: Client) -> None:
    for _ in range(3):
        await resume(api, await begin(api))
    first = (await api.get("/v1/pauses", params={"limit": 2})).json()
    assert first["hasMore"]
    rest = (await api.get("/v1/pauses", params={"cursor": first["cursor"]})).json()
    ids = [pause["id"] for pause in first["pauses"] + rest["pauses"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == len(ids) >= 3


async def test_missed_posts_move_by_whole_days(api: Client, stack: Stack) -> None:
    account = stack.accounts["plain"]
    pause = await begin(api, scope="account", platform=account.platform, accountId=account.id)
    created = (await api.send_post(post_body(stack, "moved by a day", **soon()))).json()
    path = f"/v1/posts/{created['id']}"
    await shown_as(api, path, "held")
    preview = await resume(api, pause, missed="shift", dryRun=True)
    ended = await resume(api, pause, missed="shift")
    assert preview["result"]["shifted"] == ended["result"]["shifted"] >= 1
    moved = (await api.get(path)).json()
    day_later = datetime.fromisoformat(created["scheduledFor"]) + timedelta(days=1)
    assert (moved["status"], moved["scheduledFor"]) == ("scheduled", rfc3339(day_later))
    assert moved["platforms"][0]["status"] == "pending"
    history = (await api.get(f"{path}/history")).json()["events"]
    assert any("ended a pause. The post moved" in line["summary"] for line in history)
    assert (await api.delete(path)).status_code == 200
