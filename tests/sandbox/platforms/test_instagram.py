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


async def test_an_image_is_published_once(shared: Sandbox) -> None:
    container = await shared.container(image_url=IMAGE, caption="Hi #there", alt_text="A photo")
    assert re.fullmatch(r"1(78|79|80)\d{14}", container)
    assert (await read(shared, container, "status_code,status"))["status_code"] == "FINISHED"
    medium = await shared.publish(container)
    assert (await read(shared, container, "status_code"))["status_code"] == "PUBLISHED"
    shown = await read(shared, medium, "id,permalink,shortcode,timestamp,media_product_type,media_type,caption")
    assert shown["permalink"] == f"https://www.instagram.com/p/{shown['shortcode']}/"
    assert re.fullmatch(r"[\w-]{11}", shown["shortcode"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", shown["timestamp"])
    assert (shown["caption"], shown["media_product_type"], shown["media_type"]) == ("Hi #there", "FEED", "IMAGE")
    count = len(await shared.posts())
    again = await shared.ig.post(f"/{IG_USER}/media_publish", data={"creation_id": container})
    assert again.status_code == 400
    assert len(await shared.posts()) == count


async def test_parameters_and_token_may_come_any_way(shared: Sandbox) -> None:
    plain, body = shared.control, {"image_url": IMAGE, "access_token": "ig-token"}
    for answer in (
        await plain.post(f"/instagram/v25.0/{IG_USER}/media", params=body),
        await plain.post(f"/instagram/v25.0/{IG_USER}/media", data=body),
        await plain.post("/instagram/v25.0/me/media", json=body),
    ):
        assert answer.status_code == 200, answer.text
    for params in ({}, {"access_token": "nope"}, {"access_token": "x-premium"}):
        answer = await plain.get("/instagram/v25.0/me", params=params)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 190)


async def test_reels(shared: Sandbox) -> None:
    container = await shared.container(
        media_type="REELS",
        video_url=VIDEO,
        caption="film",
        share_to_feed="true",
        trial_params='{"graduation_strategy":"MANUAL"}',
        collaborators='["one","two"]',
    )
    shown = await read(shared, await shared.publish(container), "permalink,shortcode,media_product_type,media_type")
    assert shown["permalink"] == f"https://www.instagram.com/reel/{shown['shortcode']}/"
    assert (shown["media_product_type"], shown["media_type"]) == ("REELS", "VIDEO")


async def test_stories_are_listed_apart_and_for_a_day(timed: Sandbox, clock: Clock) -> None:
    story = await timed.publish(await timed.container(media_type="STORIES", image_url=IMAGE))
    post = await timed.publish(await timed.container(image_url=IMAGE))
    assert (await read(timed, f"{IG_USER}/stories"))["data"] == [{"id": story}]
    assert (await read(timed, f"{IG_USER}/media"))["data"] == [{"id": post}]
    assert "/stories/studio/" in (await read(timed, story, "permalink"))["permalink"]
    clock.now += 86_500
    assert (await read(timed, f"{IG_USER}/stories"))["data"] == []


async def test_carousels(shared: Sandbox) -> None:
    children = [await shared.container(image_url=IMAGE, is_carousel_item="true") for _ in range(2)]
    children.append(await shared.container(video_url=VIDEO, media_type="VIDEO", is_carousel_item="true"))
    parent = await shared.container(media_type="CAROUSEL", children=",".join(children), caption="three")
    medium = await shared.publish(parent)
    assert (await read(shared, medium, "media_type"))["media_type"] == "CAROUSEL_ALBUM"
    assert (await shared.posts())[0]["mediaCount"] == 3


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


async def test_invalid_video_fails_in_processing(shared: Sandbox) -> None:
    container = await shared.container(media_type="REELS", video_url=IMAGE)
    status = await read(shared, container, "status_code,status")
    assert status["status_code"] == "ERROR"
    assert "2207026" in status["status"]
    answer = await shared.ig.post(f"/{IG_USER}/media_publish", data={"creation_id": container})
    assert answer.json()["error"]["error_subcode"] == 2207053


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


async def test_the_sandboxes_own_samples_are_known(shared: Sandbox) -> None:
    await shared.publish(await shared.container(image_url=f"{shared.url}/_/media/own.jpg"))
    assert await refusal(shared, image_url=f"{shared.url}/_/media/own.png") == (36001, 2207005)


async def test_containers_expire_after_a_day(timed: Sandbox, clock: Clock) -> None:
    container = await timed.container(image_url=IMAGE)
    clock.now += 86_401
    assert (await read(timed, container, "status_code"))["status_code"] == "EXPIRED"
    answer = await timed.ig.post(f"/{IG_USER}/media_publish", data={"creation_id": container})
    assert answer.json()["error"]["error_subcode"] == 2207020


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


async def test_without_realism_no_quota_is_used(shared: Sandbox) -> None:
    await shared.publish(await shared.container(image_url=IMAGE))
    assert (await read(shared, f"{IG_USER}/content_publishing_limit"))["data"][0]["quota_usage"] == 0


async def test_media_are_listed_newest_first_in_pages(sandbox: Sandbox) -> None:
    ids = [await sandbox.publish(await sandbox.container(image_url=IMAGE, caption=f"c{n}")) for n in range(3)]
    first = await read(sandbox, f"{IG_USER}/media?limit=2&fields=id,caption")
    assert first["data"] == [{"caption": "c2", "id": ids[2]}, {"caption": "c1", "id": ids[1]}]
    after = first["paging"]["cursors"]["after"]
    assert (await read(sandbox, f"{IG_USER}/media?limit=2&after={after}"))["data"] == [{"id": ids[0]}]


async def test_comments(shared: Sandbox) -> None:
    medium = await shared.publish(await shared.container(image_url=IMAGE, caption="commented"))
    answer = await shared.ig.post(f"/v25.0/{medium}/comments", data={"message": "First!"})
    (comment,) = (await read(shared, f"{medium}/comments"))["data"]
    assert (comment["id"], comment["text"]) == (answer.json()["id"], "First!")
    assert (await shared.ig.post(f"/v25.0/{medium}/comments", data={"message": ""})).status_code == 400
    assert (await shared.ig.post(f"/v25.0/{medium}", data={"comment_enabled": "false"})).json() == {"success": True}
    assert (await read(shared, medium, "is_comment_enabled"))["is_comment_enabled"] is False


async def test_nothing_can_be_deleted_and_strangers_see_nothing(shared: Sandbox) -> None:
    medium = await shared.publish(await shared.container(image_url=IMAGE))
    for answer in (
        await shared.ig.delete(f"/v25.0/{medium}"),
        await shared.ig.get("/v25.0/17800000000000000"),
        await shared.ig.get("/v25.0/17841400000000002/media"),
        await shared.ig.post("/v25.0/17800000000000000/comments", data={"message": "a"}),
    ):
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 100, 33)
    answer = await shared.ig.get(f"/v25.0/{medium}", params={"fields": "likes_by_bots"})
    assert "nonexisting field (likes_by_bots)" in answer.json()["error"]["message"]


async def test_reading_a_container_prepares_until_publishing_was_tried(sandbox: Sandbox) -> None:
    container = await sandbox.container(image_url=IMAGE)
    await read(sandbox, container)
    await sandbox.fault("instagram", "reject", operation="publish", status=503)
    publishing = await sandbox.ig.post(f"/{IG_USER}/media_publish", data={"creation_id": container})
    assert publishing.status_code == 503
    assert (await read(sandbox, container, "status_code"))["status_code"] == "FINISHED"
    await read(sandbox, f"{IG_USER}/content_publishing_limit")
    operations = [entry["operation"] for entry in await sandbox.requests()]
    assert operations == ["confirm", "confirm", "publish", "prepare", "prepare"]


async def test_profile_and_token_renewal(sandbox: Sandbox) -> None:
    me = await read(sandbox, "me", "user_id,username")
    assert (me["user_id"], me["username"]) == (IG_USER, "studio")
    answer = await sandbox.ig.get("/refresh_access_token", params={"grant_type": "ig_refresh_token"})
    renewed = answer.json()
    assert renewed["expires_in"] > 5_000_000
    for token in ("ig-token", renewed["access_token"]):
        answer = await sandbox.ig.get("/me", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200
