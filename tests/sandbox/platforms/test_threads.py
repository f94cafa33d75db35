"""The sandbox's Threads, called with Threads' own requests."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Clock
from tests.sandbox.servers import Server, account, serving

USER = "17841400000000009"
IMAGE = "https://example.com/photo.jpg"
VIDEO = "https://cdn.example.com/film.mp4"


class Threads(Server):
    """Threads as one account calls it."""

    async def container(self, **parameters: str) -> str:
        answer = await self.client.post("/me/threads", data=parameters)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def publish(self, container: str) -> httpx.Response:
        return await self.client.post("/me/threads_publish", data={"creation_id": container})

    async def published(self, **parameters: str) -> str:
        answer = await self.publish(await self.container(**parameters))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def read(self, path: str, **params: Any) -> dict[str, Any]:
        answer = await self.client.get(f"/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


serving_threads = partial(
    serving,
    Threads,
    path="/threads/v1.0",
    accounts=[account("threads", "th_1", USER, "ann", "token")],
    headers={"authorization": "Bearer token"},
)


@pytest.fixture
async def server() -> AsyncIterator[Threads]:
    async with serving_threads() as running:
        yield running


@pytest.fixture
async def timed(clock: Clock) -> AsyncIterator[Threads]:
    async with serving_threads(clock=clock, realistic=True) as running:
        yield running


def error(answer: httpx.Response) -> tuple[int, int, int | None]:
    problem = answer.json()["error"]
    return answer.status_code, problem["code"], problem.get("error_subcode")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, (400, 100, None)),
        ({"media_type": "TEXT"}, (400, 100, None)),
        ({"media_type": "TEXT", "text": "x" * 501}, (400, 100, None)),
        ({"media_type": "TEXT", "text": "🌊" * 126}, (400, 100, None)),
        (
            {"media_type": "TEXT", "text": " ".join(f"https://a.example/{n}" for n in range(6))},
            (400, "THREADS_API__LINK_LIMIT_EXCEEDED", None),
        ),
        ({"media_type": "TEXT", "text": "a", "auto_publish_text": "true"}, (400, 100, None)),
        ({"media_type": "TEXT", "text": "a", "reply_control": "nobody"}, (400, 100, None)),
        ({"media_type": "TEXT", "text": "a", "topic_tag": "a.b"}, (400, 100, None)),
        ({"media_type": "TEXT", "text": "a", "reply_to_id": "1"}, (400, 24, 4279009)),
        ({"media_type": "TEXT", "text": "a", "poll_attachment": '{"option_a":"x"}'}, (400, 100, None)),
        ({"media_type": "TEXT", "text": "a", "poll_attachment": "["}, (400, 100, None)),
        ({"media_type": "IMAGE", "image_url": IMAGE, "link_attachment": "https://a.example"}, (400, 100, None)),
        ({"media_type": "IMAGE"}, (400, 100, None)),
        ({"media_type": "IMAGE", "image_url": "https://example.com/a.gif"}, (400, 100, 2207005)),
        ({"media_type": "IMAGE", "image_url": "http://127.0.0.1:9/a.jpg"}, (400, 100, None)),
        ({"media_type": "IMAGE", "image_url": IMAGE, "alt_text": "x" * 1001}, (400, 100, None)),
        ({"media_type": "IMAGE", "image_url": IMAGE, "text": "x", "is_carousel_item": "true"}, (400, 100, None)),
        ({"media_type": "CAROUSEL", "children": "1"}, (400, 100, None)),
        ({"media_type": "CAROUSEL", "children": "1,2"}, (400, 100, 4279004)),
    ],
)
async def test_invalid_requests_are_refused(
    server: Threads, parameters: dict[str, str], expected: tuple[int, int | str, int | None]
) -> None:
    assert error(await server.client.post("/me/threads", data=parameters)) == expected


async def test_videos_fail_in_their_containers(server: Threads) -> None:
    for url, message in ((IMAGE, "FAILED_PROCESSING_VIDEO"), ("http://127.0.0.1:9/a.mp4", "FAILED_DOWNLOADING_VIDEO")):
        container = await server.container(media_type="VIDEO", video_url=url)
        shown = await server.read(container, fields="status,error_message")
        assert (shown["status"], shown["error_message"]) == ("ERROR", message)
        assert (await server.publish(container)).status_code == 400


async def test_lists_begin_at_a_time_and_have_an_end(timed: Threads, clock: Clock) -> None:
    await text_post(timed, "old")
    clock.now += 100
    since = int(clock.now)
    clock.now += 1
    new = [await text_post(timed, f"new {number}") for number in range(3)]
    listed = (await timed.read("me/threads", since=since, limit=2))["data"]
    assert [post["id"] for post in listed] == [new[2], new[1]]
    answer = await timed.client.get("/me/threads", params={"since": "yesterday"})
    assert error(answer)[:2] == (400, 100)


async def text_post(server: Threads, text: str) -> str:
    return await server.published(media_type="TEXT", text=text)


async def test_a_carousel_finds_only_items_that_are_finished(timed: Threads, clock: Clock) -> None:
    names = {"media_type": "IMAGE", "image_url": IMAGE, "is_carousel_item": "true"}
    children = ",".join([await timed.container(**names) for _ in range(2)])
    carousel = {"media_type": "CAROUSEL", "children": children}
    assert error(await timed.client.post("/me/threads", data=carousel)) == (400, 100, 4279004)
    clock.now += 10
    assert (await timed.client.post("/me/threads", data=carousel)).status_code == 200


async def test_reading_a_container_prepares_until_publishing_was_tried(server: Threads) -> None:
    container = await server.container(media_type="TEXT", text="Hi")
    await server.read(container, fields="status")
    await server.fault(platform="threads", fault="reject", operation="publish", status=503)
    assert (await server.publish(container)).status_code == 503
    await server.read(container, fields="status")
    await server.read("me/threads_publishing_limit")
    assert await server.operations() == ["confirm", "confirm", "publish", "prepare", "prepare"]


async def test_other_accounts_see_nothing(server: Threads) -> None:
    for path in ("17841400000000001/threads", "17841400000000001/replies"):
        assert error(await server.client.get(f"/{path}")) == (400, 100, 33)


async def test_published_posts_survive_a_restart(tmp_path: Path) -> None:
    async with serving_threads(tmp_path) as server:
        container = await server.container(media_type="TEXT", text="Hi")
        post = (await server.publish(container)).json()["id"]
    async with serving_threads(tmp_path) as server:
        assert (await server.read(container, fields="status"))["status"] == "PUBLISHED"
        assert [listed_post["id"] for listed_post in (await server.read("me/threads"))["data"]] == [post]
