"""Lost responses of two equal posts on one account: the same post is never found for both."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platforms.base import PublishContext, Published
from platforms.errors import ErrorKind, PlatformError
from platforms.facebook import videos
from platforms.linkedin import media
from platforms.registry import platforms
from platforms.tiktok import status
from tests.platforms.rig import Connect, Rig


@dataclass(frozen=True)
class RepeatedPost:
    """A kind of post that is sent twice."""

    platform: str
    media: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    credentials: dict[str, Any] = field(default_factory=dict)
    forget: Callable[[dict[str, Any]], None] = lambda _: None
    """A function that removes from the handles what identifies the post, if a platform may lose it."""
    refuses_repeats: bool = False
    blind: bool = False

    def __str__(self) -> str:
        return f"{self.platform}-{len(self.media)}-{self.settings.get('contentType', '')}"


def _session_gone(handles: dict[str, Any]) -> None:
    handles["session"]["url"] = handles["session"]["url"].replace("upload_id=", "upload_id=gone")


_TIKTOK = {"contentPreviewConfirmed": True, "expressConsentGiven": True, "privacyLevel": "PUBLIC_TO_EVERYONE"}
_GOOGLE = {"refreshToken": "1//equal", "clientId": "id", "clientSecret": "s"}

KINDS = [
    RepeatedPost("twitter", refuses_repeats=True),
    RepeatedPost("twitter", ("a.jpg",)),
    RepeatedPost("instagram", ("a.jpg",)),
    RepeatedPost("instagram", ("a.jpg", "b.jpg")),
    RepeatedPost("instagram", ("a.jpg",), {"contentType": "story"}),
    RepeatedPost("facebook", refuses_repeats=True),
    RepeatedPost("facebook", ("a.jpg",)),
    RepeatedPost("facebook", ("a.mp4",)),
    RepeatedPost("facebook", ("a.jpg",), {"contentType": "story"}),
    RepeatedPost("threads"),
    RepeatedPost("threads", ("a.jpg", "b.jpg")),
    RepeatedPost("bluesky"),
    RepeatedPost("mastodon"),
    RepeatedPost("mastodon", ("a.jpg",)),
    RepeatedPost("linkedin", settings={"organizationUrn": "urn:li:organization:77"}, refuses_repeats=True),
    RepeatedPost("youtube", ("a.mp4",), credentials=_GOOGLE, forget=_session_gone),
    RepeatedPost("pinterest", ("a.jpg",), {"boardId": "549755885175"}),
    RepeatedPost("tiktok", ("a.jpg",), _TIKTOK, {"refreshToken": "r", "clientKey": "k", "clientSecret": "s"}),
    RepeatedPost("reddit", settings={"subreddit": "test"}),
    RepeatedPost("reddit", ("a.jpg",), {"subreddit": "test"}),
    RepeatedPost("googlebusiness", credentials=_GOOGLE),
    RepeatedPost("discord"),
    RepeatedPost("telegram", blind=True),
]


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "CHECK_PAUSES", (0, 0.01))
    monkeypatch.setattr(status, "CHECK_PAUSES", (0, 0.01))
    monkeypatch.setattr(media, "GRACE", timedelta())


def test_no_platform_is_left_out() -> None:
    assert {repeated.platform for repeated in KINDS} == set(platforms())


async def opened(connect: Connect, repeated: RepeatedPost) -> Rig:
    rig = await connect(repeated.platform, credentials=repeated.credentials)
    await rig.platform.whoami(rig.connection())
    return rig


async def lost(rig: Rig, repeated: RepeatedPost) -> PublishContext[Any]:
    """Send a post whose response is lost."""
    items = [rig.sandbox.media(name) for name in repeated.media]
    context = rig.context("The very same words", items, settings=repeated.settings)
    assert rig.platform.check(context.draft, rig.account) == []
    if rig.platform.prepares(context.draft):
        await rig.platform.prepare(rig.connection(), context)
    context.started_at = datetime.now(UTC)
    await rig.sandbox.fault(repeated.platform, "accept_then_drop", "publish")
    with pytest.raises(PlatformError) as caught:
        await rig.platform.publish(rig.connection(), context)
    assert caught.value.kind is ErrorKind.UNCONFIRMED
    repeated.forget(context.handles)
    return context


@pytest.mark.parametrize("repeated", KINDS, ids=str)
async def test_confirm_never_returns_the_post_of_another_target(connect: Connect, repeated: RepeatedPost) -> None:
    rig = await opened(connect, repeated)
    sendings = [await lost(rig, repeated) for _ in range(2)]
    public = {post["platformPostId"] for post in await rig.posts()}
    assert len(public) == (1 if repeated.refuses_repeats else 2)
    assert all(rig.platform.rules.post_id.matches(each) for each in public), "what a person sees, a person may name"
    found: list[str] = []
    for context in sendings:
        context.taken = frozenset(found)
        finding = await rig.platform.confirm(rig.connection(), context)
        found += [finding.platform_post_id] if isinstance(finding, Published) else []
    assert len(found) == len(set(found))
    assert set(found) == (set() if repeated.blind else public)
