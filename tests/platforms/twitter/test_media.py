"""Media uploads to X over real HTTP: resumed after a crash, waiting for X, and refused if X would refuse them."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from domain.post import Media, MediaType
from platforms.errors import ErrorKind
from platforms.twitter import PLATFORM
from platforms.twitter.media import PIECE_BYTES, media_ids, media_keys
from platforms.twitter.rules import MEGABYTE, file_rules
from tests.platforms.post_steps import refused
from tests.platforms.rig import Clock, Connect, Rig, Sandbox
from tests.platforms.sources import Given

VIDEO = Media(type=MediaType.VIDEO, url="https://cdn.example.com/long.mp4")


@pytest.fixture
async def x(connect: Connect) -> Rig:
    return await connect("twitter")


async def a_large_video(sandbox: Sandbox) -> bytes:
    """Return a playable video of three pieces: the bytes after its last box are not read."""
    video = (await sandbox.client.get(sandbox.media("large.mp4").url)).content
    return video + bytes(2 * PIECE_BYTES + 1000)


async def paths(sandbox: Sandbox) -> list[str]:
    requests = (await sandbox.control("GET", "requests?platform=twitter"))["requests"]
    return [request["path"].rpartition("/")[2] for request in requests][::-1]


async def test_a_broken_upload_goes_on_from_the_piece_that_is_missing(x: Rig, sandbox: Sandbox) -> None:
    source = Given(await a_large_video(sandbox))
    beats: list[str] = []
    context = replace(x.context("", [VIDEO]), media=source, heartbeat=beats.append)

    # The first piece arrives, the second does not.
    failing = httpx.AsyncClient(event_hooks={"request": [refuse_piece(1)]})
    async with failing:
        error = await refused(PLATFORM.prepare(x.connection(failing), context))
    assert error.kind is ErrorKind.TRANSIENT
    saved = x.saved[-1]["media"]["0"]
    assert (saved["stage"], saved["pieces"], saved["size"]) == ("sending", 1, len(source.content))

    before = len(await paths(sandbox))
    await PLATFORM.prepare(x.connection(), replace(context, handles=x.saved[-1]))
    assert (await paths(sandbox))[before:] == ["append", "append", "finalize"]
    assert x.saved[-1]["media"]["0"]["id"] == saved["id"]
    assert len(beats) == 3
    assert source.opened == 2


def refuse_piece(number: int) -> Callable[[httpx.Request], Awaitable[None]]:
    async def hook(request: httpx.Request) -> None:
        if request.url.path.endswith("/append"):
            body = await request.aread()
            if f'name="segment_index"\r\n\r\n{number}\r\n'.encode() in body:
                raise httpx.WriteError("the connection broke", request=request)

    return hook


async def test_another_file_behind_the_same_url_starts_again(x: Rig, sandbox: Sandbox) -> None:
    context = replace(x.context("", [VIDEO]), media=Given(await a_large_video(sandbox)))
    await sandbox.fault("twitter", "reject", "prepare", times=1, status=503)
    await refused(PLATFORM.prepare(x.connection(), context))
    context.handles["media"]["0"] |= {"stage": "sending", "size": 7, "pieces": 1, "id": "1", "expiresAt": 2**31}
    await PLATFORM.prepare(x.connection(), context)
    assert context.handles["media"]["0"]["id"] != "1"
    assert context.handles["media"]["0"]["pieces"] == 3


async def test_ready_media_are_neither_fetched_nor_sent_again(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("", [sandbox.media("once.jpg", "a picture")])
    await PLATFORM.prepare(x.connection(), context)
    before = await x.operations()
    await PLATFORM.prepare(x.connection(), replace(context, handles=x.saved[-1]))
    assert await x.operations() == before
    assert len(x.source.opened) == 1


async def test_one_image_that_fails_does_not_lose_the_others(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("", [sandbox.media(f"some{index}.jpg") for index in range(3)])
    await sandbox.fault("twitter", "reject", "prepare", status=503)
    assert (await refused(PLATFORM.prepare(x.connection(), context))).kind is ErrorKind.TRANSIENT
    ready = [name for name, upload in x.saved[-1]["media"].items() if upload.get("stage") == "ready"]
    assert len(ready) == 2
    before = len(await paths(sandbox))
    await PLATFORM.prepare(x.connection(), context)
    assert (await paths(sandbox))[before:] == ["upload"]
    assert len(set(media_ids(context.handles))) == 3


async def test_an_upload_that_is_about_to_expire_is_made_again(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("", [sandbox.media("old.jpg")])
    await PLATFORM.prepare(x.connection(), context)
    [old] = media_ids(context.handles)
    assert context.handles["media"]["0"]["expiresAt"] > time.time() + 80_000
    context.handles["media"]["0"]["expiresAt"] = int(time.time()) + 60
    await PLATFORM.prepare(x.connection(), context)
    assert media_ids(context.handles) != [old]


async def test_media_that_were_replaced_are_uploaded_and_removed_ones_forgotten(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("", [sandbox.media("first.jpg"), sandbox.media("second.jpg")])
    await PLATFORM.prepare(x.connection(), context)
    old = media_ids(context.handles)
    changed = x.context("", [sandbox.media("third.jpg")], handles=x.saved[-1])
    await PLATFORM.prepare(x.connection(), changed)
    assert len(media_ids(changed.handles)) == 1
    assert not set(media_ids(changed.handles)) & set(old)


async def test_an_upload_x_has_lost_is_made_again_and_only_then_at_fault(x: Rig, sandbox: Sandbox) -> None:
    lost = {"url": VIDEO.url, "stage": "processing", "id": "1", "key": "7_1", "expiresAt": int(time.time()) + 9_000}
    context = replace(x.context("", [VIDEO], handles={"media": {"0": lost}}), media=Given(await a_large_video(sandbox)))
    error = await refused(PLATFORM.prepare(x.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "invalid_request")
    assert x.saved[-1] == {"media": {}}
    await PLATFORM.prepare(x.connection(), context)
    assert context.handles["media"]["0"]["stage"] == "ready"


async def test_alt_texts_reach_x(x: Rig, sandbox: Sandbox) -> None:
    bodies: list[bytes] = []

    async def note(request: httpx.Request) -> None:
        if request.url.path.endswith("/2/media/metadata"):
            bodies.append(await request.aread())

    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        context = x.context("", [sandbox.media("described.png", "two birds"), sandbox.media("bare.png")])
        await PLATFORM.prepare(x.connection(client), context)
    [body] = bodies
    assert httpx.Response(200, content=body).json() == {
        "id": context.handles["media"]["0"]["id"],
        "metadata": {"alt_text": {"text": "two birds"}},
    }
    assert media_keys(context.handles) == {upload["key"] for upload in context.handles["media"].values()}


async def test_a_video_is_waited_for_as_x_asks(slow: Rig, clock: Clock) -> None:
    context = slow.context("", [slow.sandbox.media("slow.mp4", "moving")])
    for code in ("media_pending", "media_in_progress"):
        error = await refused(PLATFORM.prepare(slow.connection(), context))
        assert (error.kind, error.code) == (ErrorKind.NOT_READY, code)
        assert error.retry_after == timedelta(seconds=1)
        context = replace(context, handles=slow.saved[-1])
        clock.ahead += 1
    clock.ahead += 1
    await PLATFORM.prepare(slow.connection(), context)
    assert slow.saved[-1]["media"]["0"]["stage"] == "ready"
    assert len(slow.source.opened) == 1


async def test_a_video_that_x_cannot_process_is_refused_and_forgotten(x: Rig) -> None:
    context = replace(x.context("", [VIDEO]), media=Given(b"no video at all"))
    error = await refused(PLATFORM.prepare(x.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_processing_failed")
    assert x.saved[-1] == {"media": {}}


async def test_a_video_goes_up_in_smaller_pieces_if_x_wants_them(x: Rig, sandbox: Sandbox) -> None:
    await sandbox.switch_on("twitter", "small_pieces")
    source = Given(await a_large_video(sandbox))
    context = replace(x.context("", [VIDEO]), media=source)
    error = await refused(PLATFORM.prepare(x.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "smaller_pieces")
    await PLATFORM.prepare(x.connection(), context)
    await sandbox.clear_conditions("twitter")
    assert context.handles["media"]["0"]["stage"] == "ready"


def test_videos_may_be_as_long_as_x_takes_them() -> None:
    def longest(*, premium: bool) -> tuple[float | None, int | None]:
        (rule,) = [rule for rule in file_rules(premium=premium) if rule.kind is MediaType.VIDEO]
        return rule.max_seconds, rule.max_bytes

    assert longest(premium=False) == (20 * 60, 8_000 * MEGABYTE)
    assert longest(premium=True) == (125 * 60, 16_000 * MEGABYTE)
