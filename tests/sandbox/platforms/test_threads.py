"""The sandbox's Threads, called with Threads' own requests."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.platforms.threads import length
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


async def test_a_text_is_published_once(server: Threads) -> None:
    container = await server.container(media_type="TEXT", text="Hello", reply_control="everyone")
    assert (await server.read(container, fields="status,error_message"))["status"] == "FINISHED"
    post = (await server.publish(container)).json()["id"]
    assert (await server.read(container, fields="status"))["status"] == "PUBLISHED"
    assert error(await server.publish(container))[:2] == (400, 100)
    shown = await server.read(post, fields="id,permalink,text,timestamp,media_type,username")
    assert (shown["text"], shown["media_type"], shown["username"]) == ("Hello", "TEXT_POST", "ann")
    assert shown["permalink"].startswith("https://www.threads.com/@ann/post/")
    [listed] = await server.posts()
    assert (listed["platformPostId"], listed["accountId"]) == (post, "th_1")


async def test_the_token_may_come_any_way(server: Threads) -> None:
    assert (await server.read("me", fields="id,username"))["id"] == USER
    del server.client.headers["authorization"]
    assert (await server.read("me", access_token="token"))["id"] == USER
    body = {"media_type": "TEXT", "text": "Hi", "access_token": "token"}
    assert (await server.client.post(f"/{USER}/threads", data=body)).status_code == 200
    assert error(await server.client.get("/me"))[:2] == (400, 190)


async def test_images_videos_and_carousels(server: Threads) -> None:
    image = await server.published(media_type="IMAGE", image_url=IMAGE, text="one", alt_text="a photo")
    assert (await server.read(image, fields="media_type,alt_text"))["alt_text"] == "a photo"
    await server.published(media_type="VIDEO", video_url=VIDEO)
    children = [
        await server.container(media_type="IMAGE", image_url=IMAGE, is_carousel_item="true"),
        await server.container(media_type="VIDEO", video_url=VIDEO, is_carousel_item="true"),
    ]
    assert error(await server.publish(children[0])) == (400, 24, 4279009)
    carousel = await server.published(media_type="CAROUSEL", children=",".join(children), text="both")
    assert (await server.read(carousel, fields="media_type"))["media_type"] == "CAROUSEL_ALBUM"
    assert [post["mediaCount"] for post in await server.posts()] == [2, 1, 1]


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


async def test_replies_are_listed_apart_from_posts(server: Threads) -> None:
    first = await server.published(media_type="TEXT", text="first")
    second = await server.published(media_type="TEXT", text="second", reply_to_id=first)
    quote = await server.published(media_type="TEXT", text="quoted", quote_post_id=first)
    assert [post["id"] for post in (await server.read("me/threads"))["data"]] == [quote, first]
    replies = (await server.read("me/replies", fields="id,replied_to,is_reply"))["data"]
    assert replies == [{"id": second, "replied_to": {"id": first}, "is_reply": True}]
    assert (await server.read(quote, fields="is_quote_post"))["is_quote_post"] is True


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


async def test_posts_are_deleted(server: Threads) -> None:
    post = await text_post(server, "Hi")
    answer = await server.client.delete(f"/{post}")
    assert answer.json() == {"success": True, "deleted_id": post}
    for gone in (await server.client.delete(f"/{post}"), await server.client.get(f"/{post}")):
        assert error(gone) == (400, 24, 4279009)
    assert (await server.read("me/threads"))["data"] == []
    assert (await server.posts())[0]["deleted"] is True


async def test_containers_take_their_time_and_expire(timed: Threads, clock: Clock) -> None:
    container = await timed.container(media_type="VIDEO", video_url=VIDEO)
    assert (await timed.read(container, fields="status"))["status"] == "IN_PROGRESS"
    assert (await timed.publish(container)).status_code == 400
    clock.now += 10
    assert (await timed.read(f"{container}/", fields="status"))["status"] == "FINISHED"
    clock.now += 86_400
    assert (await timed.read(container, fields="status"))["status"] == "EXPIRED"


async def test_a_carousel_finds_only_items_that_are_finished(timed: Threads, clock: Clock) -> None:
    names = {"media_type": "IMAGE", "image_url": IMAGE, "is_carousel_item": "true"}
    children = ",".join([await timed.container(**names) for _ in range(2)])
    carousel = {"media_type": "CAROUSEL", "children": children}
    assert error(await timed.client.post("/me/threads", data=carousel)) == (400, 100, 4279004)
    clock.now += 10
    assert (await timed.client.post("/me/threads", data=carousel)).status_code == 200


async def test_days_have_their_number_of_posts(timed: Threads) -> None:
    for number in range(250):
        await text_post(timed, f"{number}")
    [quota] = (await timed.read("me/threads_publishing_limit", fields="quota_usage,config"))["data"]
    assert quota == {"quota_usage": 250, "config": {"quota_total": 250, "quota_duration": 86_400}}
    container = await timed.container(media_type="TEXT", text="over")
    assert error(await timed.publish(container))[:2] == (400, 100)


async def test_reading_a_container_prepares_until_publishing_was_tried(server: Threads) -> None:
    container = await server.container(media_type="TEXT", text="Hi")
    await server.read(container, fields="status")
    await server.fault(platform="threads", fault="reject", operation="publish", status=503)
    assert (await server.publish(container)).status_code == 503
    await server.read(container, fields="status")
    await server.read("me/threads_publishing_limit")
    assert await server.operations() == ["confirm", "confirm", "publish", "prepare", "prepare"]


async def test_tokens_are_renewed(server: Threads) -> None:
    renewed = await server.read("refresh_access_token", grant_type="th_refresh_token")
    assert renewed["expires_in"] > 5_000_000
    server.client.headers["authorization"] = f"Bearer {renewed['access_token']}"
    assert (await server.read("me"))["id"] == USER
    assert (await server.client.get("/refresh_access_token", params={"grant_type": "x"})).status_code == 400


async def test_other_accounts_see_nothing(server: Threads) -> None:
    for path in ("17841400000000001/threads", "17841400000000001/replies"):
        assert error(await server.client.get(f"/{path}")) == (400, 100, 33)


def test_an_emoji_costs_its_bytes() -> None:
    assert (length("abc"), length("🌊"), length("日本")) == (3, 4, 2)


async def test_published_posts_survive_a_restart(tmp_path: Path) -> None:
    async with serving_threads(tmp_path) as server:
        container = await server.container(media_type="TEXT", text="Hi")
        post = (await server.publish(container)).json()["id"]
    async with serving_threads(tmp_path) as server:
        assert (await server.read(container, fields="status"))["status"] == "PUBLISHED"
        assert [listed_post["id"] for listed_post in (await server.read("me/threads"))["data"]] == [post]
