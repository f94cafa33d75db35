"""Lose the answers of two posts that say the same on one account: what is found is two posts, or one and no other."""

from collections.abc import Awaitable, Callable
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
from tests.platforms.rig import Rig
from tests.platforms.test_bluesky import open_bluesky, sized

Connect = Callable[..., Awaitable[Rig]]


@dataclass(frozen=True)
class Kin:
    """Be a kind of post that is sent twice."""

    platform: str
    media: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    credentials: dict[str, Any] = field(default_factory=dict)
    forget: Callable[[dict[str, Any]], None] = lambda _: None
    """Take out of the handles what would tell them apart, where a network may lose it."""
    refuses_repeats: bool = False
    blind: bool = False

    def __str__(self) -> str:
        return f"{self.platform}-{len(self.media)}-{self.settings.get('contentType', '')}"


def _session_gone(handles: dict[str, Any]) -> None:
    handles["session"]["url"] = handles["session"]["url"].replace("upload_id=", "upload_id=gone")


_TIKTOK = {"contentPreviewConfirmed": True, "expressConsentGiven": True, "privacyLevel": "PUBLIC_TO_EVERYONE"}
_GOOGLE = {"refreshToken": "1//twins", "clientId": "id", "clientSecret": "s"}

KINDS = [
    Kin("twitter", refuses_repeats=True),
    Kin("twitter", ("a.jpg",)),
    Kin("instagram", ("a.jpg",)),
    Kin("instagram", ("a.jpg", "b.jpg")),
    Kin("instagram", ("a.jpg",), {"contentType": "story"}),
    Kin("facebook", refuses_repeats=True),
    Kin("facebook", ("a.jpg",)),
    Kin("facebook", ("a.mp4",)),
    Kin("facebook", ("a.jpg",), {"contentType": "story"}),
    Kin("threads"),
    Kin("threads", ("a.jpg", "b.jpg")),
    Kin("bluesky"),
    Kin("mastodon"),
    Kin("mastodon", ("a.jpg",)),
    Kin("linkedin", settings={"organizationUrn": "urn:li:organization:77"}, refuses_repeats=True),
    Kin("youtube", ("a.mp4",), credentials=_GOOGLE, forget=_session_gone),
    Kin("pinterest", ("a.jpg",), {"boardId": "549755885175"}),
    Kin("tiktok", ("a.jpg",), _TIKTOK, {"refreshToken": "r", "clientKey": "k", "clientSecret": "s"}),
    Kin("reddit", settings={"subreddit": "test"}),
    Kin("reddit", ("a.jpg",), {"subreddit": "test"}),
    Kin("googlebusiness", credentials=_GOOGLE),
    Kin("discord", credentials={"channelId": "1"}),
    Kin("telegram", credentials={"chatId": "@somewhere"}, blind=True),
]


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "LOOKS", (0, 0.01))
    monkeypatch.setattr(status, "LOOKS", (0, 0.01))
    monkeypatch.setattr(media, "GRACE", timedelta())


def test_no_platform_is_left_out() -> None:
    assert {kin.platform for kin in KINDS} == set(platforms())


async def opened(connect: Connect, kin: Kin) -> Rig:
    if kin.platform == "bluesky":
        return await open_bluesky((await connect("twitter")).sandbox)
    rig = await connect(kin.platform, credentials=kin.credentials)
    if "user_id" in type(rig.stored).model_fields:
        rig.stored = rig.stored.model_copy(update={"user_id": rig.account.user_id})
    if kin.platform == "googlebusiness":
        await rig.platform.whoami(rig.connection())
    return rig


async def lost(rig: Rig, kin: Kin) -> PublishContext[Any]:
    """Send a post whose answer does not come."""
    items = [rig.sandbox.media(name) for name in kin.media]
    context = rig.context("The very same words", items, settings=kin.settings)
    if kin.platform == "bluesky":
        context = sized(rig, context)
    assert rig.platform.check(context.draft, rig.account) == []
    if rig.platform.prepares(context.draft):
        await rig.platform.prepare(rig.connection(), context)
    context.started_at = datetime.now(UTC)
    await rig.sandbox.fault(kin.platform, "accept_then_drop", "publish")
    with pytest.raises(PlatformError) as caught:
        await rig.platform.publish(rig.connection(), context)
    assert caught.value.kind is ErrorKind.UNCONFIRMED
    kin.forget(context.handles)
    return context


@pytest.mark.parametrize("kin", KINDS, ids=str)
async def test_no_look_up_finds_what_is_known_to_be_another(connect: Connect, kin: Kin) -> None:
    rig = await opened(connect, kin)
    sendings = [await lost(rig, kin) for _ in range(2)]
    public = {post["platformPostId"] for post in await rig.posts()}
    assert len(public) == (1 if kin.refuses_repeats else 2)
    assert all(rig.platform.rules.post_id.matches(each) for each in public), "what a person sees, a person may name"
    found: list[str] = []
    for context in sendings:
        context.taken = frozenset(found)
        finding = await rig.platform.confirm(rig.connection(), context)
        found += [finding.platform_post_id] if isinstance(finding, Published) else []
    assert len(found) == len(set(found))
    assert set(found) == (set() if kin.blind else public)
