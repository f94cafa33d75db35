"""Media uploads to X over real HTTP."""

import time
from dataclasses import replace

import pytest

from domain.post import Media, MediaType
from platforms.errors import ErrorKind
from platforms.twitter import PLATFORM
from platforms.twitter.media import PIECE_BYTES, media_ids, media_keys
from platforms.twitter.rules import MEGABYTE, file_rules
from tests.platforms.post_steps import refused
from tests.platforms.rig import Connect, Rig, Sandbox
from tests.platforms.sources import Given

VIDEO = Media(type=MediaType.VIDEO, url="https://cdn.example.com/long.mp4")


@pytest.fixture
async def x(connect: Connect) -> Rig:
    return await connect("twitter")


async def a_large_video(sandbox: Sandbox) -> bytes:
    """Return a playable video of three pieces: the bytes after its last box are not read."""
    video = (await sandbox.client.get(sandbox.media("large.mp4").url)).content
    return video + bytes(2 * PIECE_BYTES + 1000)


async def paths(rig: Rig) -> list[str]:
    return [request["path"].rpartition("/")[2] for request in await rig.requests()]


@pytest.mark.thorough
async def test_another_file_behind_the_same_url_starts_again(x: Rig, sandbox: Sandbox) -> None:
    context = replace(x.context("", [VIDEO]), media=Given(await a_large_video(sandbox)))
    await sandbox.fault("twitter", "reject", "prepare", times=1, status=503)
    await refused(PLATFORM.prepare(x.connection(), context))
    context.handles["media"]["0"] |= {"stage": "sending", "size": 7, "pieces": 1, "id": "1", "expiresAt": 2**31}
    await PLATFORM.prepare(x.connection(), context)
    assert context.handles["media"]["0"]["id"] != "1"
    assert context.handles["media"]["0"]["pieces"] == 3


async def test_one_image_that_fails_does_not_lose_the_others(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("", [sandbox.media(f"some{index}.jpg") for index in range(3)])
    await sandbox.fault("twitter", "reject", "prepare", status=503)
    assert (await refused(PLATFORM.prepare(x.connection(), context))).kind is ErrorKind.TRANSIENT
    ready = [name for name, upload in x.saved[-1]["media"].items() if upload.get("stage") == "ready"]
    assert len(ready) == 2
    before = len(await paths(x))
    await PLATFORM.prepare(x.connection(), context)
    assert (await paths(x))[before:] == ["upload"]
    assert len(set(media_ids(context.handles))) == 3


async def test_an_upload_x_has_lost_is_made_again_and_only_then_at_fault(x: Rig, sandbox: Sandbox) -> None:
    lost = {"url": VIDEO.url, "stage": "processing", "id": "1", "key": "7_1", "expiresAt": int(time.time()) + 9_000}
    context = replace(x.context("", [VIDEO], handles={"media": {"0": lost}}), media=Given(await a_large_video(sandbox)))
    error = await refused(PLATFORM.prepare(x.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "invalid_request")
    assert x.saved[-1] == {"media": {}}
    await PLATFORM.prepare(x.connection(), context)
    assert context.handles["media"]["0"]["stage"] == "ready"


async def test_alt_texts_reach_x(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("", [sandbox.media("described.png", "two birds"), sandbox.media("bare.png")])
    await PLATFORM.prepare(x.connection(), context)
    [body] = x.bodies("/2/media/metadata")
    assert body == {
        "id": context.handles["media"]["0"]["id"],
        "metadata": {"alt_text": {"text": "two birds"}},
    }
    assert media_keys(context.handles) == {upload["key"] for upload in context.handles["media"].values()}


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
