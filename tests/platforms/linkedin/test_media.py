"""Media uploads to LinkedIn over real HTTP."""

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
from tests.platforms.rig import NO_TLS, Connect, Rig, Sandbox
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

    async with httpx.AsyncClient(verify=NO_TLS, event_hooks={"request": [expire]}) as client:
        error = await refused(PLATFORM.prepare(li.connection(client), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "EXPIRED_UPLOAD_URL")
    assert li.saved[-1] == {"media": {}}


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


@pytest.mark.parametrize(("name", "settings"), [("a.mp4", {}), ("a.jpg", PAGE)])
async def test_media_whose_state_may_not_be_read_are_waited_for(
    li: Rig, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, Any]
) -> None:
    monkeypatch.setattr(media, "GRACE", timedelta(seconds=60))

    async def forbid(request: httpx.Request) -> None:
        if request.method == "GET" and "/rest/" in request.url.path:
            body = {"status": 403, "code": "ACCESS_DENIED"}
            await sandbox.fault("linkedin", "reject", "prepare", status=403, body=body)

    async with httpx.AsyncClient(verify=NO_TLS, event_hooks={"request": [forbid]}) as client:
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


@pytest.mark.parametrize("condition", [None, "parts_need_token"])
async def test_parts_of_videos_carry_a_token_only_if_linkedin_asks_for_it(
    li: Rig, sandbox: Sandbox, condition: str | None
) -> None:
    if condition:
        await sandbox.switch_on("linkedin", condition)
    context = li.context("A video", [sandbox.media("a.mp4")])
    await PLATFORM.prepare(li.connection(), context)
    await sandbox.clear_conditions("linkedin")
    carried = ["authorization" in request.headers for request in li.sent if request.method == "PUT"]
    assert carried == ([False, True] if condition else [False])
    [etag] = context.handles["media"]["0"]["etags"]
    assert '"' not in etag
    await PLATFORM.publish(li.connection(), context)
    assert len(await li.posts()) == 1
