"""Requests that carry a file state its length, so they get a time-out that fits it."""

from datetime import timedelta
from typing import Any

import pytest

from platforms.http import timeouts
from tests.platforms.rig import Connect
from tests.platforms.sources import Large

MEGABYTE = 10**6
TIKTOK = {"contentPreviewConfirmed": True, "expressConsentGiven": True, "privacyLevel": "SELF_ONLY"}


@pytest.mark.parametrize(
    ("platform", "name", "settings", "size", "longest"),
    [
        ("tiktok", "a.mp4", TIKTOK, 25 * MEGABYTE, 10 * MEGABYTE),
        ("youtube", "a.mp4", {}, 20 * MEGABYTE, 8 * MEGABYTE),
        ("linkedin", "a.jpg", {}, 9 * MEGABYTE, 9 * MEGABYTE),
        ("linkedin", "a.mp4", {}, 9 * MEGABYTE, 4 * MEGABYTE),
        ("pinterest", "a.mp4", {"boardId": "5"}, 9 * MEGABYTE, 9 * MEGABYTE),
    ],
)
async def test_uploads_are_waited_for_the_longer_the_larger_they_are(
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    name: str,
    settings: dict[str, Any],
    size: int,
    longest: int,
) -> None:
    rig = await connect(platform)
    context = rig.context("A large file", [rig.sandbox.media(name)], settings=settings)
    context.media = Large(rig.source, size)
    monkeypatch.setattr("platforms.linkedin.media.GRACE", timedelta())
    await rig.platform.prepare(rig.connection(), context)
    seconds = {
        int(request.headers.get("content-length", 0)): request.extensions["timeout"]["read"] for request in rig.sent
    }
    largest = max(seconds)
    assert largest >= longest
    assert seconds[largest] == timeouts.for_body(largest).read
    assert seconds[largest] > 60
