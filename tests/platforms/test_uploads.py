"""Files that are uploaded before their post: once, again if they are lost, and refused if they cannot be processed."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.post import Media, MediaType
from platforms.base import PublishContext
from platforms.bluesky import media as bluesky
from platforms.errors import ErrorKind
from platforms.mastodon import media as mastodon
from tests.platforms.drafts import REQUIRED
from tests.platforms.forms import quick
from tests.platforms.post_steps import publish, ready, refused, resumed
from tests.platforms.rig import Clock, Connect, Rig
from tests.platforms.sources import Described, Given, Large

pytestmark = pytest.mark.usefixtures("quick")
__all__ = ["quick"]

NAMES = {"bluesky": "blob", "linkedin": "urn", "mastodon": "id", "reddit": "url", "twitter": "id"}
"""What names an uploaded image in the handles of its post, by platform."""
PAGE = {"organizationUrn": "urn:li:organization:5515715"}
REEL = {"contentType": "reel"}
OLD = (datetime.now(UTC) - timedelta(days=30)).isoformat()


def attempt(rig: Rig, *names: str, **settings: Any) -> PublishContext[Any]:
    required = REQUIRED.get(rig.platform.name, {})
    return rig.context("Hi", [rig.sandbox.media(name) for name in names], settings={**required, **settings})


def upload(context: PublishContext[Any]) -> dict[str, Any]:
    """Return the only upload that the handles hold."""
    handles = context.handles
    handle: dict[str, Any] = handles["video"] if "video" in handles else next(iter(handles["media"].values()))
    return handle


@pytest.mark.parametrize(
    ("platform", "name", "settings"),
    [
        *[(platform, "a.jpg", {}) for platform in NAMES],
        *[("facebook", "a.mp4", {}), ("facebook", "a.mp4", REEL), ("pinterest", "a.mp4", {})],
    ],
)
async def test_an_uploaded_file_is_neither_fetched_nor_sent_again(
    connect: Connect, platform: str, name: str, settings: dict[str, Any]
) -> None:
    rig = await connect(platform)
    context = await ready(rig, attempt(rig, name, **settings))
    before = len(rig.exchanges)
    await rig.platform.prepare(rig.connection(), resumed(rig, context))
    assert (len(rig.exchanges), len(rig.source.opened)) == (before, 1)


@pytest.mark.parametrize("platform", NAMES)
async def test_another_file_is_uploaded_and_one_that_was_removed_is_forgotten(connect: Connect, platform: str) -> None:
    rig = await connect(platform)
    context = await ready(rig, attempt(rig, "a.jpg", "b.jpg"))
    old = [upload_handle[NAMES[platform]] for upload_handle in context.handles["media"].values()]
    changed = replace(attempt(rig, "c.jpg"), handles=resumed(rig, context).handles)
    await publish(rig, changed)
    assert len(changed.handles["media"]) == (2 if platform == "bluesky" else 1)
    assert upload(changed)[NAMES[platform]] not in old
    assert (await rig.posts())[0]["mediaCount"] == 1


@pytest.mark.parametrize(
    ("platform", "aged"),
    [("bluesky", {"at": OLD}), ("mastodon", {"at": OLD}), ("twitter", {"expiresAt": int(time.time()) + 60})],
)
async def test_an_upload_that_is_about_to_expire_is_made_again(
    connect: Connect, platform: str, aged: dict[str, Any]
) -> None:
    rig = await connect(platform)
    context = await ready(rig, attempt(rig, "a.jpg"))
    upload(context).update(aged)
    await publish(rig, context)
    assert len(rig.source.opened) == 2


def lose(name: str, value: Any) -> Callable[[PublishContext[Any]], None]:
    return lambda context: upload(context).update({name: value})


def lose_session(context: PublishContext[Any]) -> None:
    context.handles["session"]["url"] = context.handles["session"]["url"].replace("upload_id=", "upload_id=gone")


@pytest.mark.parametrize(
    ("platform", "name", "lost", "kind", "code"),
    [
        ("bluesky", "a.jpg", lambda context: upload(context)["blob"]["ref"].update({"$link": "bafkrei" + "a" * 52}),
         ErrorKind.TRANSIENT, "BlobNotFound"),
        ("mastodon", "a.jpg", lose("id", "1"), ErrorKind.TRANSIENT, "attachment_gone"),
        ("pinterest", "a.mp4", lose("id", "1"), ErrorKind.REJECTED, None),
        ("twitter", "a.jpg", lose("id", "1"), ErrorKind.REJECTED, "invalid_request"),
        ("youtube", "a.mp4", lose_session, ErrorKind.TRANSIENT, None),
    ],
)  # fmt: skip
async def test_an_upload_that_its_platform_lost_is_made_again(
    connect: Connect,
    platform: str,
    name: str,
    lost: Callable[[PublishContext[Any]], None],
    kind: ErrorKind,
    code: str | None,
) -> None:
    rig = await connect(platform)
    context = await ready(rig, attempt(rig, name))
    lost(context)
    error = await refused(rig.platform.publish(rig.connection(), context))
    assert (error.kind, error.code) == (kind, code or error.code)
    await publish(rig, context)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize(("platform", "code"), [("tiktok", "no_upload"), ("youtube", "no_session")])
async def test_a_video_whose_upload_was_never_begun_is_not_published(
    connect: Connect, platform: str, code: str
) -> None:
    rig = await connect(platform)
    error = await refused(rig.platform.publish(rig.connection(), attempt(rig, "a.mp4")))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, code)


@pytest.mark.parametrize("platform", ["tiktok", "youtube"])
async def test_a_video_that_changed_is_uploaded_again(connect: Connect, platform: str) -> None:
    rig = await connect(platform)
    context = await ready(rig, attempt(rig, "a.mp4"))
    context.media = Large(rig.source, 300_000)
    assert (await refused(rig.platform.publish(rig.connection(), context))).code == "changed"
    await publish(rig, context)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize(
    ("platform", "kind", "settings", "code"),
    [
        ("facebook", MediaType.VIDEO, {}, "video_processing_failed"),
        ("facebook", MediaType.VIDEO, REEL, "video_processing_failed"),
        ("linkedin", MediaType.VIDEO, {}, "MEDIA_ASSET_PROCESSING_FAILED"),
        ("linkedin", MediaType.IMAGE, {}, "MEDIA_ASSET_PROCESSING_FAILED"),
        ("linkedin", MediaType.IMAGE, PAGE, "MEDIA_ASSET_PROCESSING_FAILED"),
        ("linkedin", MediaType.DOCUMENT, PAGE, "MEDIA_ASSET_PROCESSING_FAILED"),
        ("pinterest", MediaType.VIDEO, {}, "media_failed"),
        ("twitter", MediaType.VIDEO, {}, "media_processing_failed"),
    ],
)
async def test_a_file_that_cannot_be_processed_is_refused_and_forgotten(
    connect: Connect, platform: str, kind: MediaType, settings: dict[str, Any], code: str
) -> None:
    rig = await connect(platform)
    file = Media(type=kind, url="https://cdn.example.com/a")
    context = replace(attempt(rig, **settings), media=Given(b"nothing of the kind" * 5000))
    context.draft = replace(context.draft, media=(file,))
    error = await refused(publish(rig, context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, code)
    assert not rig.saved[-1].get("media")
    assert "video" not in rig.saved[-1]
    assert await rig.posts() == []


@pytest.mark.parametrize(
    ("platform", "name", "status", "body"),
    [
        ("linkedin", "a.jpg", 200, {}),
        ("pinterest", "a.mp4", 201, {"media_id": "1"}),
        ("reddit", "a.jpg", 200, {"args": {}}),
    ],
)
async def test_an_upload_that_was_not_begun_is_begun_again(
    connect: Connect, platform: str, name: str, status: int, body: Any
) -> None:
    rig = await connect(platform)
    await rig.sandbox.fault(platform, "reject", "prepare", status=status, body=body)
    error = await refused(ready(rig, attempt(rig, name)))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "unreadable_answer")


@pytest.mark.parametrize(
    ("platform", "name", "settings", "waits"),
    [
        ("bluesky", "a.mp4", {}, [("video_in_progress", bluesky.NEXT_CHECK)]),
        ("linkedin", "a.mp4", {}, [("processing", None)]),
        ("linkedin", "a.jpg", PAGE, [("processing", None)]),
        ("linkedin", "a.pdf", PAGE, [("processing", None)]),
        ("mastodon", "a.mp4", {}, [("media_not_ready", mastodon.NEXT_CHECK)]),
        ("pinterest", "a.mp4", {}, [("media_processing", timedelta(seconds=5))]),
        ("twitter", "a.mp4", {}, [(f"media_{state}", timedelta(seconds=1)) for state in ("pending", "in_progress")]),
    ],
)
async def test_processing_is_waited_for(
    connect_slow: Connect,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    name: str,
    settings: dict[str, Any],
    waits: list[tuple[str, timedelta | None]],
) -> None:
    for module in (bluesky, mastodon):
        monkeypatch.setattr(module, "CHECK_PAUSES", (0,))
    rig = await connect_slow(platform)
    context = attempt(rig, name, **settings)
    for code, wait in waits:
        error = await refused(rig.platform.prepare(rig.connection(), context))
        assert (error.kind, error.code) == (ErrorKind.NOT_READY, code)
        assert error.retry_after
        assert error.retry_after == (wait or error.retry_after)
        context = resumed(rig, context)
        clock.ahead += 1
    clock.ahead += 60
    await publish(rig, context)
    assert len(rig.source.opened) == 1
    assert len(await rig.posts()) == 1


MEBIBYTE = 2**20
MEDIA = ("a.jpg", "a.mp4")
FILES: list[tuple[str, str, str, int, str]] = [
    ("bluesky", "a.jpg", "image/gif", 1, "media_type"),
    ("bluesky", "a.jpg", "image/jpeg", 2_000_001, "media_too_large"),
    ("bluesky", "a.mp4", "video/quicktime", 1, "media_type"),
    ("bluesky", "a.mp4", "video/mp4", 300_000_001, "media_too_large"),
    ("mastodon", "a.jpg", "image/bmp", 1, "media_type"),
    ("mastodon", "a.jpg", "image/jpeg", 16 * MEBIBYTE + 1, "media_too_large"),
    ("mastodon", "a.gif", "image/gif", 99 * MEBIBYTE + 1, "media_too_large"),
    ("mastodon", "a.mp4", "video/mp4", 99 * MEBIBYTE + 1, "media_too_large"),
    ("reddit", "a.jpg", "image/webp", 1, "media_type"),
    ("tiktok", "a.mp4", "image/gif", 1, "media_type"),
    ("twitter", "a.jpg", "image/gif", 1, "media_type"),
    ("twitter", "a.gif", "video/mp4", 1, "media_type"),
    ("twitter", "a.mp4", "text/html", 1, "media_type"),
    ("twitter", "a.jpg", "image/jpeg", 5 * MEBIBYTE + 1, "media_too_large"),
    ("twitter", "a.gif", "image/gif", 15 * MEBIBYTE + 1, "media_too_large"),
    ("twitter", "a.mp4", "video/mp4", 8000 * MEBIBYTE + 1, "media_too_large"),
    ("youtube", "a.mp4", "image/gif", 1, "media_type"),
]


@pytest.mark.parametrize(("platform", "name", "content_type", "size", "code"), FILES)
async def test_a_file_that_would_be_refused_is_not_sent(
    connect: Connect, platform: str, name: str, content_type: str, size: int, code: str
) -> None:
    rig = await connect(platform)
    settings: dict[str, Any] = REQUIRED.get(platform, {})
    context = rig.context("A file", [rig.sandbox.media(name)], settings=settings)
    context = replace(context, media=Described(rig.source, {"content_type": content_type, "size": size}))
    error = await refused(rig.platform.prepare(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, code)
    # TikTok is asked first what its creator may do.
    assert {exchange.method for exchange in rig.exchanges} <= {"POST" if platform == "tiktok" else "GET"}


@pytest.mark.parametrize(
    ("platform", "name", "tries", "wait", "words"),
    [
        *[(name, file, 3, 5, "Check that it is public") for name in ("instagram", "threads") for file in MEDIA],
        ("googlebusiness", "a.jpg", 2, None, ""),
        ("pinterest", "a.jpg", 3, 30, "could not fetch"),
        ("tiktok", "a.jpg", 3, 30, ""),
    ],
)
async def test_a_file_that_the_platform_cannot_fetch_is_tried_again_and_then_refused(
    connect: Connect, platform: str, name: str, tries: int, wait: int | None, words: str
) -> None:
    rig = await connect(platform)
    hidden = rig.sandbox.media(name).model_copy(update={"url": f"http://127.0.0.1:1/{name}"})
    context = rig.context("Hidden", [hidden], settings=REQUIRED.get(platform))
    errors = [await refused(publish(rig, context)) for _ in range(tries)]
    assert [error.kind for error in errors] == [ErrorKind.TRANSIENT] * (tries - 1) + [ErrorKind.REJECTED]
    assert wait is None or errors[0].retry_after == timedelta(seconds=wait)
    assert words in errors[-1].message
    assert await rig.posts() == []
