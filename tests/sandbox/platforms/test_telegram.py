"""The fake Telegram: its messages, its limits, the files that it fetches, and what it forgets."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Clock
from tests.sandbox.servers import account, acting_client

CHAT = 1234567890
PHOTO = "https://example.com/a.jpg"

telegram = partial(acting_client, path="", accounts=[account("telegram", "tg_1", str(CHAT), "news", "1:t")])


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[httpx.AsyncClient]:
    async with telegram() as client:
        yield client


async def call(client: httpx.AsyncClient, method: str, token: str = "1:t", **fields: Any) -> dict[str, Any]:
    answer = await client.post(f"/telegram/bot{token}/{method}", json={"chat_id": CHAT, **fields})
    body: dict[str, Any] = answer.json()
    assert body["ok"] is answer.is_success
    assert body.get("error_code", 200) == answer.status_code
    return body


async def test_an_unknown_token_is_unauthorized_and_never_logged(shared: httpx.AsyncClient) -> None:
    assert (await call(shared, "getMe", token="2:u"))["description"] == "Unauthorized"
    # Only the bot that accounts may share is asked for people's posts.
    assert (await call(shared, "getUpdates"))["error_code"] == 401
    assert (await call(shared, "getWebhookInfo"))["error_code"] == 404
    paths = [entry["path"] for entry in (await shared.get("/_/requests")).json()["requests"]]
    assert {"/bot***/getMe", "/bot***/getUpdates"} <= set(paths)


@pytest.mark.parametrize(
    ("method", "fields", "description"),
    [
        ("sendMessage", {"text": "Hi", "chat_id": 5}, "chat not found"),
        ("sendMessage", {"text": "Hi", "chat_id": ""}, "chat_id is empty"),
        ("sendMessage", {"text": " "}, "message text is empty"),
        ("sendMessage", {"text": "x" * 4097}, "message is too long"),
        ("sendMessage", {"text": "<x>", "parse_mode": "HTML"}, "can't parse entities"),
        ("sendMessage", {"text": "</b>", "parse_mode": "HTML"}, "can't parse entities"),
        ("sendMessage", {"text": "x", "parse_mode": "BBCode"}, "unsupported parse_mode"),
        ("sendPhoto", {}, "there is no photo"),
        ("sendPhoto", {"photo": PHOTO, "caption": "x" * 1025}, "message caption is too long"),
        ("sendPhoto", {"photo": "http://127.0.0.1:9/a.jpg"}, "failed to get HTTP URL content"),
        ("sendPhoto", {"photo": "AgAC"}, "wrong file identifier/HTTP URL specified"),
        ("sendMediaGroup", {"media": [{"type": "photo", "media": PHOTO}]}, "wrong number of media"),
        ("sendMediaGroup", {"media": "["}, "can't parse media"),
        ("sendMediaGroup", {"media": [{"type": "animation", "media": PHOTO}] * 2}, "Can't use the media"),
        ("sendMediaGroup", {"media": [{"type": "photo", "media": "attach://a"}] * 2}, "file must be non-empty"),
    ],
)
async def test_refusals(shared: httpx.AsyncClient, method: str, fields: dict[str, Any], description: str) -> None:
    count = len((await shared.get("/_/posts")).json()["posts"])
    assert description in (await call(shared, method, **fields))["description"]
    assert len((await shared.get("/_/posts")).json()["posts"]) == count


@pytest.mark.parametrize("chat", [CHAT, str(CHAT), "@news", f"-100{CHAT}"])
async def test_a_chat_has_several_names(shared: httpx.AsyncClient, chat: Any) -> None:
    result = (await call(shared, "sendMessage", chat_id=chat, text="Hi"))["result"]
    assert result["chat"] == {"id": CHAT, "title": "news", "username": "news", "type": "channel"}


@pytest.mark.parametrize(
    ("method", "name", "content", "status"),
    [
        ("sendPhoto", "photo", b"nothing", 400),
        ("sendPhoto", "photo", b"", 400),
        ("sendPhoto", "photo", b"\x89PNG\r\n\x1a\n" + bytes(8) + (9000).to_bytes(4) + (2000).to_bytes(4), 400),
        ("sendPhoto", "photo", b"\x89PNG\r\n\x1a\n" + bytes(8) + (2100).to_bytes(4) + (100).to_bytes(4), 400),
        ("sendPhoto", "photo", b"\x89PNG\r\n\x1a\n" + bytes(8) + (2000).to_bytes(4) + (100).to_bytes(4), 200),
        ("sendPhoto", "photo", b"\xff\xd8\xff" + bytes(10 * 1024 * 1024), 413),
        ("sendVideo", "video", b"GIF89a" + bytes(8), 200),
        ("sendVideo", "video", b"\x89PNG\r\n\x1a\n" + bytes(20), 400),
    ],
)
async def test_files_are_checked(
    shared: httpx.AsyncClient, method: str, name: str, content: bytes, status: int
) -> None:
    answer = await shared.post(f"/telegram/bot1:t/{method}", data={"chat_id": str(CHAT)}, files={name: content})
    assert answer.status_code == status, answer.text


async def test_a_channel_takes_twenty_messages_a_minute() -> None:
    clock = Clock()
    async with telegram(realistic=True, clock=clock) as client:
        media = [{"type": "photo", "media": PHOTO}] * 10
        for _ in range(2):
            assert (await call(client, "sendMediaGroup", media=media))["ok"]
        refused = await call(client, "sendMessage", text="Hi")
        assert refused["error_code"] == 429
        wait = refused["parameters"]["retry_after"]
        assert 0 < wait <= 60
        assert refused["description"] == f"Too Many Requests: retry after {wait}"
        clock.now += wait
        assert (await call(client, "sendMessage", text="Hi"))["ok"]


async def test_message_ids_continue_after_a_restart(tmp_path: Path) -> None:
    media = [{"type": "photo", "media": PHOTO}] * 3
    async with telegram(tmp_path) as client:
        last = (await call(client, "sendMediaGroup", media=media))["result"][-1]["message_id"]
    async with telegram(tmp_path) as client:
        assert (await call(client, "sendMessage", text="Hi"))["result"]["message_id"] == last + 1
        posts = (await client.get("/_/posts")).json()["posts"]
        assert [post["mediaCount"] for post in posts] == [0, 3]
