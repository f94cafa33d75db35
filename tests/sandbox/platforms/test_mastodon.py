"""The sandbox's Mastodon, called with Mastodon's own requests."""

import struct
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox import media
from sandbox.platforms.mastodon.reads import length, rendered
from tests.sandbox.conftest import Clock
from tests.sandbox.servers import Server, account, serving

USER = "109000000000000001"


class Mastodon(Server):
    """The server with the token of one account."""

    async def get_without_token(self, path: str) -> httpx.Response:
        request = self.client.build_request("GET", path)
        del request.headers["authorization"]
        return await self.client.send(request)

    async def upload(self, name: str = "one", extension: str = "jpg", **fields: str) -> httpx.Response:
        content = media.sample(name, extension)
        files = {"file": (f"{name}.{extension}", content, media.CONTENT_TYPES[extension])}
        return await self.client.post("/v2/media", data=fields, files=files)

    async def post(self, status: str = "Hi", key: str = "", **more: Any) -> httpx.Response:
        headers = {"idempotency-key": key} if key else {}
        return await self.client.post("/v1/statuses", json={"status": status, **more}, headers=headers)

    async def statuses(self, **params: Any) -> list[dict[str, Any]]:
        answer = await self.client.get(f"/v1/accounts/{USER}/statuses", params=params)
        assert answer.status_code == 200, answer.text
        return list(answer.json())


serving_mastodon = partial(
    serving,
    Mastodon,
    path="/mastodon/api",
    accounts=[account("mastodon", "ma_1", USER, "ann", "token")],
    headers={"authorization": "Bearer token"},
)


@pytest.fixture
async def server() -> AsyncIterator[Mastodon]:
    async with serving_mastodon() as running:
        yield running


@pytest.fixture
async def timed(clock: Clock) -> AsyncIterator[Mastodon]:
    async with serving_mastodon(clock=clock, realistic=True) as running:
        yield running


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


async def test_an_unused_upload_expires_after_a_day(timed: Mastodon, clock: Clock) -> None:
    medium = (await timed.upload()).json()
    clock.now += 86_402
    assert error(await timed.client.get(f"/v1/media/{medium['id']}")) == (404, "Record not found")
    assert "not found" in error(await timed.post(media_ids=[medium["id"]]))[1]


async def test_invalid_media_are_refused(server: Mastodon) -> None:
    for content in (b"", b"hello"):
        answer = await server.client.post("/v2/media", files={"file": ("a.jpg", content, "image/jpeg")})
        assert answer.status_code == 422
    assert error(await server.upload(description="x" * 1501))[0] == 422
    content = media.sample("large", "jpg") + bytes(16_777_216)
    answer = await server.client.post("/v2/media", files={"file": ("a.jpg", content, "image/jpeg")})
    assert answer.status_code == 422
    content = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 8192, 4096)
    answer = await server.client.post("/v2/media", files={"file": ("a.png", content, "image/png")})
    assert (answer.status_code, answer.json()["error"]) == (422, "8192x4096 images are not supported")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": ""}, "can't be blank"),
        ({"status": "x" * 501}, "character limit of 500"),
        ({"status": "x" * 400, "spoiler_text": "y" * 101}, "character limit of 500"),
        ({"visibility": "secret"}, "not a valid visibility"),
        ({"quote_approval_policy": "everyone"}, "policy"),
        ({"media_ids": ["1", "2", "3", "4", "5"]}, "more than 4"),
        ({"media_ids": ["1"]}, "not found"),
        ({"poll": {"options": ["one"], "expires_in": 300}}, "2 to 4"),
        ({"poll": {"options": ["one", "x" * 51], "expires_in": 300}}, "50 characters"),
        ({"poll": {"options": ["one", "two"], "expires_in": 299}}, "Expires at"),
        ({"poll": {"options": ["one", "two"]}}, "Expires at"),
        ({"poll": "yes"}, "2 to 4"),
    ],
)
async def test_invalid_requests_are_refused(server: Mastodon, body: dict[str, Any], words: str) -> None:
    status, message = error(await server.post(**body))
    assert (status, words in message) == (422, True), message
    assert await server.posts() == []


async def test_a_video_stands_alone_and_no_poll_has_media(server: Mastodon) -> None:
    ids = [(await server.upload(extension=extension)).json()["id"] for extension in ("jpg", "mp4", "gif")]
    assert "video" in error(await server.post(media_ids=ids))[1]
    assert (await server.post(media_ids=[ids[0], ids[2]])).status_code == 200
    poll = {"options": ["one", "two"], "expires_in": 300}
    assert "Poll" in error(await server.post(media_ids=[ids[1]], poll=poll))[1]


async def test_only_its_author_sees_a_private_status(server: Mastodon) -> None:
    status = (await server.post(visibility="private")).json()
    assert (status["url"], status["uri"].endswith(status["id"])) == (None, True)
    assert len(await server.statuses()) == 1
    assert (await server.get_without_token(f"/v1/accounts/{USER}/statuses")).json() == []


async def test_statuses_are_deleted(server: Mastodon) -> None:
    status = (await server.post()).json()
    deleted = await server.client.delete(f"/v1/statuses/{status['id']}")
    assert deleted.json()["text"] == "Hi"
    for answer in (
        await server.client.delete(f"/v1/statuses/{status['id']}"),
        await server.client.get(f"/v1/statuses/{status['id']}"),
    ):
        assert answer.status_code == 404
    assert await server.statuses() == []
    operations = (await server.operations())[::-1]
    assert operations == ["publish", "delete", "delete", "confirm", "confirm"]


async def test_limits_are_reported_by_a_time(timed: Mastodon, clock: Clock) -> None:
    for _ in range(30):
        assert (await timed.upload()).status_code == 200
    over = await timed.upload()
    assert error(over) == (429, "Too many requests")
    resets_at = datetime.fromisoformat(over.headers["x-ratelimit-reset"])
    assert 0 < resets_at.timestamp() - clock.now <= 1801
    assert (over.headers["x-ratelimit-limit"], over.headers["x-ratelimit-remaining"]) == ("30", "0")


SERVER = "https://mastodon.social"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a\nb\n\nc & <d>", "<p>a<br />b</p><p>c &amp; &lt;d&gt;</p>"),
        ("@bob@b.example", '<a href="https://b.example/@bob" class="u-url mention">@<span>bob</span></a>'),
        ("#Sun!", f'<a href="{SERVER}/tags/sun" class="mention hashtag" rel="tag">#<span>Sun</span></a>!'),
        ("https://b.example/a", '<span class="invisible">https://</span><span class="">b.example/a</span>'),
    ],
)
def test_texts_become_html(text: str, html: str) -> None:
    assert html in rendered(text)


def test_texts_are_counted() -> None:
    assert length("https://example.com/" + "x" * 100) == 23
    assert length("@bob@example.com 👩‍👩‍👧‍👦") == 6


async def test_published_posts_survive_a_restart(tmp_path: Path) -> None:
    async with serving_mastodon(tmp_path) as server:
        medium = (await server.upload(description="one")).json()
        status = (await server.post(key="one", media_ids=[medium["id"]])).json()
    async with serving_mastodon(tmp_path) as server:
        assert await server.statuses() == [status]
        assert (await server.post(key="one")).json() == status
        assert len(await server.posts()) == 1
