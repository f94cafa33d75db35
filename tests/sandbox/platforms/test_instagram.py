import asyncio
import re
import struct
from typing import Any

import pytest

from sandbox import media
from tests.sandbox.conftest import IG_USER, Clock, Sandbox, sandbox_with_accounts

IMAGE = "https://example.com/photo.jpg"
VIDEO = "https://cdn.example.com/film.mp4"


async def refusal(sandbox: Sandbox, **parameters: str) -> tuple[int, int | None]:
    answer = await sandbox.ig.post(f"/v25.0/{IG_USER}/media", data=parameters)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["fbtrace_id"]
    return error["code"], error.get("error_subcode")


async def read(sandbox: Sandbox, path: str, fields: str = "") -> dict[str, Any]:
    answer = await sandbox.ig.get(f"/v25.0/{path}", params={"fields": fields} if fields else None)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_stories_are_listed_apart_and_for_a_day(timed: Sandbox, clock: Clock) -> None:
    story = await timed.publish(await timed.container(media_type="STORIES", image_url=IMAGE))
    post = await timed.publish(await timed.container(image_url=IMAGE))
    assert (await read(timed, f"{IG_USER}/stories"))["data"] == [{"id": story}]
    assert (await read(timed, f"{IG_USER}/media"))["data"] == [{"id": post}]
    assert "/stories/studio/" in (await read(timed, story, "permalink"))["permalink"]
    clock.now += 86_500
    assert (await read(timed, f"{IG_USER}/stories"))["data"] == []


async def test_carousels_need_two_to_ten_children_of_their_own(shared: Sandbox) -> None:
    child = await shared.container(image_url=IMAGE, is_carousel_item="true")
    single = await shared.container(image_url=IMAGE)
    assert await refusal(shared, media_type="CAROUSEL", children=child) == (100, 2207028)
    assert await refusal(shared, media_type="CAROUSEL", children=",".join([child] * 11)) == (100, 2207028)
    assert await refusal(shared, media_type="CAROUSEL", children=f"{child},17800000000000000") == (24, 2207006)
    assert await refusal(shared, media_type="CAROUSEL", children=f"{child},{single}") == (24, 2207006)
    published = await shared.ig.post(f"/{IG_USER}/media_publish", data={"creation_id": child})
    assert published.json()["error"]["error_subcode"] == 2207006


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, (100, None)),
        ({"image_url": "https://example.com/photo.png"}, (36001, 2207005)),
        ({"image_url": VIDEO}, (36001, 2207005)),
        ({"image_url": "not an address"}, (9004, 2207052)),
        ({"image_url": "http://127.0.0.1:9/photo.jpg"}, (9004, 2207052)),
        ({"image_url": IMAGE, "caption": "x" * 2201}, (36004, 2207010)),
        ({"image_url": IMAGE, "caption": "#a " * 31}, (36004, 2207010)),
        ({"image_url": IMAGE, "caption": "@a " * 21}, (36004, 2207010)),
        ({"image_url": IMAGE, "collaborators": '["a","b","c","d"]'}, (100, None)),
        ({"image_url": IMAGE, "collaborators": "a", "is_carousel_item": "true"}, (100, None)),
        ({"image_url": IMAGE, "alt_text": "x" * 1001}, (100, None)),
        ({"image_url": IMAGE, "is_ai_generated": "true", "is_carousel_item": "true"}, (100, None)),
        ({"image_url": IMAGE, "user_tags": '[{"x":0.5}]'}, (100, 2207035)),
        ({"image_url": IMAGE, "user_tags": "["}, (100, None)),
        ({"media_type": "VIDEO", "video_url": VIDEO}, (100, 2207023)),
        ({"media_type": "REELS", "image_url": IMAGE}, (100, None)),
        ({"media_type": "REELS", "video_url": VIDEO, "is_carousel_item": "true"}, (100, 2207023)),
        ({"media_type": "POSTER", "image_url": IMAGE}, (100, 2207023)),
        ({"media_type": "REELS", "video_url": VIDEO, "trial_params": '{"graduation_strategy":"?"}'}, (100, None)),
        ({"media_type": "REELS", "video_url": VIDEO, "thumb_offset": "-1"}, (1, 2207057)),
        ({"video_url": VIDEO}, (100, 2207023)),
    ],
)
async def test_invalid_requests_are_refused(
    shared: Sandbox, parameters: dict[str, str], expected: tuple[int, int | None]
) -> None:
    assert await refusal(shared, **parameters) == expected


async def test_other_addresses_are_really_fetched(shared: Sandbox) -> None:
    image = media.sample("served", "jpg")
    pages = {
        b"/a.jpg": (b"200 OK", b"image/jpeg", image),
        b"/page": (b"200 OK", b"text/html", b"<html></html>"),
        b"/gone": (b"404 Not Found", b"image/jpeg", b""),
        b"/image.png": (b"200 OK", b"image/png", media.sample("served", "png")),
        b"/text": (b"200 OK", b"text/plain", b"hello"),
        b"/upright.jpg": (b"200 OK", b"image/jpeg", _sized(image, 600, 800)),
        b"/tall.jpg": (b"200 OK", b"image/jpeg", _sized(image, 600, 900)),
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        status, kind, body = pages[request.split()[1]]
        head = b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        writer.write(head % (status, kind, len(body)) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await refusal(shared, image_url=f"{url}/page") == (9004, 2207052)
        assert await refusal(shared, image_url=f"{url}/gone") == (9004, 2207052)
        assert await refusal(shared, image_url=f"{url}/text") == (9004, 2207052)
        assert await refusal(shared, image_url=f"{url}/image.png") == (36001, 2207005)
        assert await refusal(shared, image_url=f"{url}/tall.jpg") == (36003, 2207009)
        await shared.publish(await shared.container(image_url=f"{url}/upright.jpg"))
        await shared.publish(await shared.container(image_url=f"{url}/a.jpg"))
    card = (await shared.control.get("/_/feed")).json()["cards"][0]
    assert (await shared.control.get(card["media"][0]["src"])).content == image


def _sized(jpeg: bytes, width: int, height: int) -> bytes:
    """Return an image whose header names another size."""
    start = re.search(rb"\xff[\xc0-\xc2]\x00\x11\x08", jpeg)
    assert start
    return jpeg[: start.end()] + struct.pack(">HH", height, width) + jpeg[start.end() + 4 :]


async def test_realistic_containers_take_their_time_and_days_have_limits(clock: Clock) -> None:
    async with sandbox_with_accounts(realistic=True, clock=clock) as sandbox:
        container = await sandbox.container(media_type="REELS", video_url=VIDEO)
        assert (await read(sandbox, container, "status_code"))["status_code"] == "IN_PROGRESS"
        early = await sandbox.ig.post(f"/{IG_USER}/media_publish", data={"creation_id": container})
        assert (early.json()["error"]["code"], early.json()["error"]["error_subcode"]) == (9007, 2207027)
        clock.now += 10
        await sandbox.publish(container)
        for _ in range(99):
            container = await sandbox.container(image_url=IMAGE)
            clock.now += 2
            await sandbox.publish(container)
        (quota,) = (await read(sandbox, f"{IG_USER}/content_publishing_limit", "config,quota_usage"))["data"]
        assert quota == {"quota_usage": 100, "config": {"quota_total": 100, "quota_duration": 86_400}}
        container = await sandbox.container(image_url=IMAGE)
        clock.now += 2
        over = await sandbox.ig.post(f"/{IG_USER}/media_publish", data={"creation_id": container})
        assert (over.json()["error"]["code"], over.json()["error"]["error_subcode"]) == (9, 2207042)
