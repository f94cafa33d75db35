"""The fake Discord: its messages, its headers, the nonce, and what a webhook reveals."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Clock
from tests.sandbox.servers import account, acting_client

CHANNEL, HOOK = "41771983423143937", "41771983423143938"

discord = partial(
    acting_client,
    path="",
    accounts=[
        account("discord", "dc_1", CHANNEL, "general", "bot"),
        account("discord", "dc_2", HOOK, "News", "hook"),
    ],
    headers={"authorization": "Bot bot"},
)


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[httpx.AsyncClient]:
    async with discord() as client:
        yield client


async def say(client: httpx.AsyncClient, content: str = "Hi", **more: Any) -> httpx.Response:
    return await client.post(f"/discord/channels/{CHANNEL}/messages", json={"content": content, **more})


async def test_tokens(shared: httpx.AsyncClient) -> None:
    for headers in ({"authorization": "Bot nope"}, {"authorization": "Bearer bot"}, {"authorization": ""}):
        assert (await shared.get("/discord/api/v10/users/@me", headers=headers)).status_code == 401
    assert (await shared.get("/discord/v10/users/@me")).json()["bot"] is True
    assert (await shared.get(f"/discord/webhooks/{HOOK}/nope")).json() == {"message": "Unknown Webhook", "code": 10015}
    assert (await shared.get(f"/discord/webhooks/{HOOK}/hook")).json()["name"] == "News"
    paths = {entry["path"] for entry in (await shared.get("/_/requests")).json()["requests"]}
    assert f"/webhooks/{HOOK}/***" in paths
    assert not any("hook/" in path.rpartition("webhooks")[2] for path in paths)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"content": ""}, 400, 50006),
        ({"content": "x" * 2001}, 400, 50035),
        ({"nonce": "x" * 26}, 400, 50035),
        ({"username": "Ada"}, 400, 50035),
        ({"attachments": [{"id": "0", "filename": "a.png"}]}, 400, 50035),
        ({"embeds": [{"description": "x" * 6001}]}, 400, 50035),
        ({"embeds": [{"title": "x"}] * 11}, 400, 50035),
        ({"poll": {"question": {"text": "?"}, "answers": []}}, 400, 50035),
        ({"poll": {"question": {"text": "?"}, "answers": [{"poll_media": {"text": "x" * 56}}]}}, 400, 50035),
    ],
)
async def test_refusals(shared: httpx.AsyncClient, body: dict[str, Any], status: int, code: int) -> None:
    answer = await say(shared, **body) if "content" not in body else await say(shared, body["content"])
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_large_files_and_unknown_channels_are_refused(shared: httpx.AsyncClient) -> None:
    large = await shared.post(f"/discord/channels/{CHANNEL}/messages", files={"files[0]": bytes(10 * 1024 * 1024 + 1)})
    assert (large.status_code, large.json()["code"]) == (413, 40005)
    for channel in ("5", HOOK):
        answer = await shared.post(f"/discord/channels/{channel}/messages", json={"content": "Hi"})
        assert (answer.status_code, answer.json()["code"]) == (404, 10003)


async def test_a_nonce_that_is_enforced_makes_one_message(tmp_path: Path) -> None:
    clock = Clock()
    async with discord(tmp_path, clock=clock) as client:
        first = (await say(client, nonce="n1", enforce_nonce=True)).json()
        assert first["nonce"] == "n1"
        assert (await say(client, "other", nonce="n1", enforce_nonce=True)).json()["id"] == first["id"]
        assert (await say(client, nonce="n1")).json()["id"] != first["id"]
    async with discord(tmp_path, clock=clock) as client:
        listed = (await client.get(f"/discord/channels/{CHANNEL}/messages")).json()
        assert (await say(client, nonce="n1", enforce_nonce=True)).json()["id"] == listed[0]["id"]
        assert "nonce" not in listed[0]
        clock.now += 600
        assert (await say(client, nonce="n1", enforce_nonce=True)).json()["id"] not in {
            message["id"] for message in listed
        }


async def test_a_channel_is_listed_newest_first_from_an_id_on() -> None:
    async with discord() as client:
        ids = [(await say(client, f"number {number}")).json()["id"] for number in range(5)]
        path = f"/discord/channels/{CHANNEL}/messages"
        page = (await client.get(path, params={"after": ids[1], "limit": "2"})).json()
        assert [message["id"] for message in page] == [ids[3], ids[2]]
        assert [message["id"] for message in (await client.get(path)).json()] == ids[::-1]
        assert (await client.get(path, params={"limit": "101"})).status_code == 400
        assert (await client.get(path, params={"after": "x"})).status_code == 400


async def test_a_webhook_returns_the_message_only_with_wait(shared: httpx.AsyncClient) -> None:
    path = f"/discord/webhooks/{HOOK}/hook"
    silent = await shared.post(path, json={"content": "quiet"})
    assert (silent.status_code, silent.content) == (204, b"")
    message = (await shared.post(path, params={"wait": "true"}, json={"content": "loud", "username": "Ada"})).json()
    assert (message["webhook_id"], message["author"]["username"]) == (HOOK, "Ada")
    posts = (await shared.get("/_/posts", params={"accountId": "dc_2"})).json()["posts"]
    assert [post["text"] for post in posts] == ["loud", "quiet"]
    for body in ({"content": "x", "username": "Discord"}, {"content": "x", "nonce": "1"}):
        assert (await shared.post(path, json=body)).json()["code"] == 50035


async def test_five_requests_in_five_seconds() -> None:
    clock = Clock()
    async with discord(realistic=True, clock=clock) as client:
        assert [(await say(client)).status_code for _ in range(6)] == [200] * 5 + [429]
        refused = await say(client)
        assert refused.json()["global"] is False
        assert 0 < refused.json()["retry_after"] <= 5
        assert refused.headers["retry-after"] == "5"
        clock.now += refused.json()["retry_after"]
        assert (await say(client)).status_code == 200
