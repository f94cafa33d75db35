"""The steps after an upload to YouTube, each once, and the result of the video's processing."""

from datetime import timedelta
from typing import Any

import pytest

from platforms.base import PublishContext, Published
from platforms.errors import ErrorKind
from platforms.youtube import PLATFORM
from tests.platforms.post_steps import refused
from tests.platforms.rig import Clock, Rig
from tests.platforms.steps.test_follow_up import PLATFORMS as COMMENTS
from tests.platforms.youtube.test_platform import prepared, rig

__all__ = ["rig"]


async def test_thumbnail_playlist_and_comment_follow_once(rig: Rig) -> None:
    settings: dict[str, Any] = {
        "thumbnail": f"{rig.sandbox.url}/_/media/cover.jpg",
        "playlistId": "PLBCF2DAC6FFB574DE",
        "firstComment": "first",
    }
    context = await prepared(rig, **settings)
    published = await PLATFORM.publish(rig.connection(), context)
    for _ in range(2):
        assert (await PLATFORM.complete(rig.connection(), context, published)).warning is None
    operations = (await rig.operations())[-len(rig.exchanges) :]
    assert operations.count("edit") == 3
    assert await COMMENTS["youtube"].below(rig, published) == ["first"]


async def test_a_thumbnail_is_set_once_the_video_is_processed(rig: Rig) -> None:
    await rig.sandbox.switch_on("youtube", "slow_processing", rig.account.account_id)
    context = await prepared(rig, thumbnail=f"{rig.sandbox.url}/_/media/cover.jpg", firstComment="first")
    published = await PLATFORM.publish(rig.connection(), context)
    assert (await refused(PLATFORM.complete(rig.connection(), context, published))).kind is ErrorKind.NOT_READY
    assert await COMMENTS["youtube"].below(rig, published) == ["first"]
    await rig.sandbox.clear_conditions("youtube")
    assert (await PLATFORM.complete(rig.connection(), context, published)).warning is None
    (video,) = (await rig.read("/youtube/v3/videos", part="snippet", id=published.platform_post_id))["items"]
    assert video["snippet"]["thumbnails"]["default"]["url"] == "/_/media/cover.jpg"


def captions(rig: Rig, *languages: str) -> list[dict[str, str]]:
    url = f"{rig.sandbox.url}/_/media/waves.vtt"
    return [{"language": language, "name": language.upper(), "url": url} for language in languages]


async def test_captions_follow_once_whatever_is_lost(rig: Rig) -> None:
    context = await prepared(rig, captions=captions(rig, "en", "de"))
    published = await PLATFORM.publish(rig.connection(), context)
    # The first answer is lost after YouTube has added the captions: a repeat finds them there.
    await rig.sandbox.fault("youtube", "accept_then_drop", "edit")
    assert (await refused(PLATFORM.complete(rig.connection(), context, published))).kind is ErrorKind.TRANSIENT
    for _ in range(2):
        assert (await PLATFORM.complete(rig.connection(), context, published)).warning is None
    tracks = await rig.read("/youtube/v3/captions", part="snippet", videoId=published.platform_post_id)
    assert [(item["snippet"]["language"], item["snippet"]["name"]) for item in tracks["items"]] == [
        ("en", "EN"),
        ("de", "DE"),
    ]


async def test_captions_that_are_refused_become_a_warning(rig: Rig) -> None:
    context = await prepared(rig, captions=captions(rig, "en", "de"))
    published = await PLATFORM.publish(rig.connection(), context)
    refusal = {"error": {"code": 403, "errors": [{"reason": "insufficientPermissions", "message": "x"}]}}
    await rig.sandbox.fault("youtube", "reject", "edit", status=403, body=refusal)
    warning = (await PLATFORM.complete(rig.connection(), context, published)).warning or ""
    assert "The caption track (en) was not added" in warning
    assert "(de)" not in warning


async def test_a_video_that_is_gone_is_reported(rig: Rig) -> None:
    context = await prepared(rig)
    published = await PLATFORM.publish(rig.connection(), context)
    body = {"kind": "youtube#videoListResponse", "items": []}
    await rig.sandbox.fault("youtube", "reject", "confirm", status=200, body=body)
    assert "deleted or removed" in ((await PLATFORM.complete(rig.connection(), context, published)).warning or "")


async def test_extras_that_fail_become_a_warning(rig: Rig) -> None:
    settings: dict[str, Any] = {
        "thumbnail": f"{rig.sandbox.url}/_/media/cover.jpg",
        "playlistId": "XX",
    }
    context = await prepared(rig, **settings)
    published = await PLATFORM.publish(rig.connection(), context)
    refusal = {"error": {"code": 400, "errors": [{"reason": "imageFormatUnsupported", "message": "x"}]}}
    assert (await refused(_with_processing(rig, context, published))).kind is ErrorKind.NOT_READY
    await rig.sandbox.fault("youtube", "reject", "edit", status=400, body=refusal)
    warning = (await PLATFORM.complete(rig.connection(), context, published)).warning or ""
    assert "thumbnail was not added: YouTube takes thumbnails as JPEG or PNG" in warning
    assert "playlist entry was not added: YouTube does not find the playlist" in warning
    assert "comment" not in warning


async def _with_processing(rig: Rig, context: PublishContext[Any], published: Published) -> Published:
    """Complete a post as far as possible while its video is processed: everything but the thumbnail."""
    await rig.sandbox.switch_on("youtube", "slow_processing", rig.account.account_id)
    try:
        return await PLATFORM.complete(rig.connection(), context, published)
    finally:
        await rig.sandbox.clear_conditions("youtube")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"uploadStatus": "failed", "failureReason": "codec"}, "because it cannot read its codec"),
        ({"uploadStatus": "rejected", "rejectionReason": "duplicate"}, "because it was uploaded before"),
        ({"uploadStatus": "rejected"}, "because it could not process it"),
        ({"uploadStatus": "processed", "privacyStatus": "private"}, "private instead of public"),
    ],
)
async def test_a_video_that_youtube_does_not_show_is_reported(rig: Rig, status: dict[str, str], reason: str) -> None:
    context = await prepared(rig)
    published = await PLATFORM.publish(rig.connection(), context)
    body = {"kind": "youtube#videoListResponse", "items": [{"status": status}]}
    await rig.sandbox.fault("youtube", "reject", "confirm", status=200, body=body)
    assert reason in ((await PLATFORM.complete(rig.connection(), context, published)).warning or "")


async def test_a_video_is_watched_until_it_is_processed(slow: Rig, clock: Clock) -> None:
    context = await prepared(slow)
    published = await PLATFORM.publish(slow.connection(), context)
    error = await refused(PLATFORM.complete(slow.connection(), context, published))
    assert (error.kind, error.retry_after) == (ErrorKind.NOT_READY, timedelta(minutes=1))
    clock.ahead += 11
    assert await PLATFORM.complete(slow.connection(), context, published) == published
