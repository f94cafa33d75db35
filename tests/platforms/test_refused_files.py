"""Files that a platform would refuse for their type or size, or that it cannot fetch."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from platforms.errors import ErrorKind
from tests.platforms.drafts import REQUIRED
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Connect
from tests.platforms.sources import Described

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
