"""Media uploads to LinkedIn over real HTTP: resumed after a crash, and waiting for LinkedIn."""

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from domain.post import Media, MediaType
from platforms.errors import ErrorKind
from platforms.linkedin import PLATFORM, media
from tests.platforms.post_steps import refused
from tests.platforms.rig import Clock, Connect, Rig, Sandbox
from tests.platforms.sources import Given

PART = 4 * 1024 * 1024
PAGE = {"organizationUrn": "urn:li:organization:5515715"}
VIDEO = Media(type=MediaType.VIDEO, url="https://cdn.example.com/long.mp4")


@pytest.fixture
async def li(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(media, "GRACE", timedelta())
    return await connect("linkedin")


async def a_large_video(sandbox: Sandbox) -> bytes:
    """Return a playable video of three parts: the bytes after its last box are not read."""
    video = (await sandbox.client.get(sandbox.media("large.mp4").url)).content
    return video + bytes(2 * PART + 1000)


async def puts(sandbox: Sandbox) -> list[str]:
    requests = (await sandbox.control("GET", "requests?platform=linkedin"))["requests"]
    return [request["path"].rpartition("/")[2] for request in requests if request["method"] == "PUT"][::-1]


async def test_a_broken_upload_goes_on_from_the_part_that_is_missing(li: Rig, sandbox: Sandbox) -> None:
    beats: list[str] = []
    source = Given(await a_large_video(sandbox))
    context = replace(li.context("", [VIDEO]), media=source, heartbeat=beats.append)

    async def break_at_the_second(request: httpx.Request) -> None:
        if request.method == "PUT" and request.url.path.endswith("/1"):
            raise httpx.WriteError("the connection broke", request=request)

    async with httpx.AsyncClient(event_hooks={"request": [break_at_the_second]}) as client:
        assert (await refused(PLATFORM.prepare(li.connection(client), context))).kind is ErrorKind.TRANSIENT
    saved = li.saved[-1]["media"]["0"]
    assert (saved["stage"], len(saved["etags"]), len(saved["parts"])) == ("sending", 1, 3)
    before = len(await puts(sandbox))
    await PLATFORM.prepare(li.connection(), replace(context, handles=li.saved[-1]))
    assert (await puts(sandbox))[before:] == ["1", "2"]
    assert (li.saved[-1]["media"]["0"]["urn"], li.saved[-1]["media"]["0"]["stage"]) == (saved["urn"], "ready")
    assert beats == ["33%", "66%", "100%"]


async def test_another_file_or_an_expired_upload_begins_again(li: Rig, sandbox: Sandbox) -> None:
    video = await a_large_video(sandbox)
    context = replace(li.context("", [VIDEO]), media=Given(video))
    await sandbox.fault("linkedin", "reject", "prepare", status=503)
    await refused(PLATFORM.prepare(li.connection(), context))
    await PLATFORM.prepare(li.connection(), context)
    upload = context.handles["media"]["0"]
    first = upload["urn"]
    upload |= {"stage": "sending", "expiresAt": int(time.time()) - 1}
    await PLATFORM.prepare(li.connection(), context)
    second = context.handles["media"]["0"]["urn"]
    context.handles["media"]["0"]["stage"] = "sending"
    await PLATFORM.prepare(li.connection(), replace(context, media=Given(video + b"more")))
    assert len({first, second, context.handles["media"]["0"]["urn"]}) == 3


async def test_an_upload_that_linkedin_lets_expire_is_forgotten(li: Rig, sandbox: Sandbox) -> None:
    context = li.context("", [sandbox.media("a.jpg")])
    await PLATFORM.prepare(li.connection(), li.context("", [sandbox.media("a.jpg")]))

    async def expire(request: httpx.Request) -> None:
        if request.method == "PUT":
            body = {"status": 400, "code": "EXPIRED_UPLOAD_URL"}
            await sandbox.fault("linkedin", "reject", "prepare", status=400, body=body)

    async with httpx.AsyncClient(event_hooks={"request": [expire]}) as client:
        error = await refused(PLATFORM.prepare(li.connection(client), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "EXPIRED_UPLOAD_URL")
    assert li.saved[-1] == {"media": {}}


async def test_ready_media_are_kept_and_replaced_media_are_uploaded_again(li: Rig, sandbox: Sandbox) -> None:
    context = li.context("", [sandbox.media("a.jpg"), sandbox.media("b.jpg")])
    await PLATFORM.prepare(li.connection(), context)
    before = len(await puts(sandbox))
    await PLATFORM.prepare(li.connection(), li.context("", context.draft.media, handles=li.saved[-1]))
    assert len(await puts(sandbox)) == before
    changed = li.context("", [sandbox.media("c.jpg")], handles=li.saved[-1])
    await PLATFORM.prepare(li.connection(), changed)
    assert len(await puts(sandbox)) == before + 1
    assert list(changed.handles["media"]) == ["0"]


async def test_media_of_one_author_are_uploaded_again_for_another(li: Rig, sandbox: Sandbox) -> None:
    context = li.context("", [sandbox.media("a.jpg")])
    await PLATFORM.prepare(li.connection(), context)
    as_page = li.context("", [sandbox.media("a.jpg")], settings=PAGE, handles=li.saved[-1])
    await PLATFORM.prepare(li.connection(), as_page)
    await PLATFORM.publish(li.connection(), as_page)
    assert len(await li.posts()) == 1


async def test_members_images_get_their_time(li: Rig, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "GRACE", timedelta(seconds=60))
    context = li.context("", [sandbox.media("a.jpg")])
    error = await refused(PLATFORM.prepare(li.connection(), context))
    assert error.kind is ErrorKind.NOT_READY
    assert error.retry_after is not None
    assert timedelta(seconds=30) < error.retry_after <= timedelta(seconds=60)
    context.handles["media"]["0"]["uploadedAt"] -= 61
    await PLATFORM.prepare(li.connection(), context)
    assert li.saved[-1]["media"]["0"]["stage"] == "ready"


@pytest.mark.parametrize(("name", "settings"), [("a.mp4", {}), ("a.jpg", PAGE), ("a.pdf", PAGE)])
async def test_processing_is_waited_for(slow: Rig, clock: Clock, name: str, settings: dict[str, Any]) -> None:
    context = slow.context("Slow", [slow.sandbox.media(name)], settings=settings)
    error = await refused(PLATFORM.prepare(slow.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.NOT_READY, "processing")
    assert error.retry_after is not None
    clock.ahead += 10
    await PLATFORM.prepare(slow.connection(), replace(context, handles=slow.saved[-1]))
    await PLATFORM.publish(slow.connection(), replace(context, handles=slow.saved[-1]))
    assert len(await slow.posts()) == 1


@pytest.mark.parametrize(("name", "settings"), [("a.mp4", {}), ("a.jpg", PAGE)])
async def test_media_whose_state_may_not_be_read_are_waited_for(
    li: Rig, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, Any]
) -> None:
    monkeypatch.setattr(media, "GRACE", timedelta(seconds=60))

    async def forbid(request: httpx.Request) -> None:
        if request.method == "GET" and "/rest/" in request.url.path:
            body = {"status": 403, "code": "ACCESS_DENIED"}
            await sandbox.fault("linkedin", "reject", "prepare", status=403, body=body)

    async with httpx.AsyncClient(event_hooks={"request": [forbid]}) as client:
        context = li.context("", [sandbox.media(name)], settings=settings)
        assert (await refused(PLATFORM.prepare(li.connection(client), context))).kind is ErrorKind.NOT_READY
        context.handles["media"]["0"]["uploadedAt"] -= 61
        await PLATFORM.prepare(li.connection(client), context)
    assert li.saved[-1]["media"]["0"]["stage"] == "ready"


async def test_a_state_that_cannot_be_read_is_read_again(li: Rig, sandbox: Sandbox) -> None:
    context = li.context("", [sandbox.media("a.mp4")])
    await PLATFORM.prepare(li.connection(), context)
    context.handles["media"]["0"]["stage"] = "processing"
    await sandbox.fault("linkedin", "reject", "prepare", status=503)
    assert (await refused(PLATFORM.prepare(li.connection(), context))).kind is ErrorKind.TRANSIENT


async def test_media_not_ready_at_linkedin_hold_the_post_back(li: Rig, sandbox: Sandbox) -> None:
    context = li.context("Early", [sandbox.media("a.jpg")])
    await PLATFORM.prepare(li.connection(), context)
    body = {"status": 400, "code": "MEDIA_ASSET_WAITING_UPLOAD", "message": "Not yet"}
    await sandbox.fault("linkedin", "reject", "publish", status=400, body=body)
    error = await refused(PLATFORM.publish(li.connection(), context))
    assert (error.kind, error.retry_after) == (ErrorKind.NOT_READY, timedelta(seconds=5))
    await PLATFORM.publish(li.connection(), context)
    assert len(await li.posts()) == 1


@pytest.mark.parametrize(
    ("kind", "settings"), [(MediaType.VIDEO, {}), (MediaType.IMAGE, PAGE), (MediaType.DOCUMENT, PAGE)]
)
async def test_media_that_linkedin_cannot_process_are_refused_and_forgotten(
    li: Rig, kind: MediaType, settings: dict[str, Any]
) -> None:
    item = Media(type=kind, url="https://cdn.example.com/a")
    context = replace(li.context("", [item], settings=settings), media=Given(b"nothing of the kind" * 5000))
    error = await refused(PLATFORM.prepare(li.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "MEDIA_ASSET_PROCESSING_FAILED")
    assert li.saved[-1] == {"media": {}}


async def test_a_members_image_that_cannot_be_processed_is_found_out_by_the_post(li: Rig) -> None:
    item = Media(type=MediaType.IMAGE, url="https://cdn.example.com/a")
    context = replace(li.context("", [item]), media=Given(b"no image"))
    await PLATFORM.prepare(li.connection(), context)
    error = await refused(PLATFORM.publish(li.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "MEDIA_ASSET_PROCESSING_FAILED")
    assert li.saved[-1] == {"media": {}}


async def test_an_upload_that_cannot_be_begun_is_begun_again(li: Rig, sandbox: Sandbox) -> None:
    await sandbox.fault("linkedin", "reject", "prepare", status=200, body={})
    error = await refused(PLATFORM.prepare(li.connection(), li.context("", [sandbox.media("a.jpg")])))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "unreadable_answer")


@pytest.mark.parametrize("condition", [None, "parts_need_token"])
async def test_parts_of_videos_carry_a_token_only_if_linkedin_asks_for_it(
    li: Rig, sandbox: Sandbox, condition: str | None
) -> None:
    if condition:
        await sandbox.switch_on("linkedin", condition)
    carried: list[bool] = []

    async def note(request: httpx.Request) -> None:
        if request.method == "PUT":
            carried.append("authorization" in request.headers)

    context = li.context("A video", [sandbox.media("a.mp4")])
    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        await PLATFORM.prepare(li.connection(client), context)
    await sandbox.clear_conditions("linkedin")
    assert carried == ([False, True] if condition else [False])
    [etag] = context.handles["media"]["0"]["etags"]
    assert '"' not in etag
    await PLATFORM.publish(li.connection(), context)
    assert len(await li.posts()) == 1
