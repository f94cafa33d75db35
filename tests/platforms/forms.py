"""Every form of post that is followed through lost responses, and the account that publishes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from platforms.base import PublishContext
from platforms.facebook import videos
from platforms.googlebusiness import platform as googlebusiness
from platforms.linkedin import media as linkedin
from platforms.tiktok import media as tiktok
from platforms.youtube import media as youtube
from tests.platforms.discord.rig import as_webhook
from tests.platforms.rig import Connect, Rig
from tests.platforms.sources import Large

PIECE = 256 * 1024
TEXT = "  Süße Möwen & <b>Meer</b>\n\n https://example.com/a?b=c 👍🏽"
TIKTOK = {"contentPreviewConfirmed": True, "expressConsentGiven": True, "privacyLevel": "PUBLIC_TO_EVERYONE"}
POLL = {"question": "Which?", "options": ["Yes", "No"]}
EVENT: dict[str, Any] = {
    "title": "Winter sale",
    "schedule": {
        "startDate": {"year": 2026, "month": 1, "day": 20},
        "startTime": {"hours": 9, "minutes": 0},
        "endDate": {"year": 2026, "month": 1, "day": 21},
        "endTime": {"hours": 17, "minutes": 0},
    },
}


@dataclass(frozen=True)
class Form:
    """One form of post on one platform."""

    platform: str
    media: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    text: str = TEXT
    size: int = 0
    """The bytes of each file, if it is uploaded in pieces."""
    account: Literal["", "webhook", "page"] = ""
    confirmed: Literal["by confirm", "by repeating", "never"] = "by confirm"
    """How a post is found whose response was lost: LinkedIn names a member's post if it is sent again."""
    ruled_out: bool = True
    """Whether a post that was never published is ruled out."""

    def __str__(self) -> str:
        parts = [self.platform, self.account, self.settings.get("contentType", ""), *self.media, str(self.size or "")]
        return "-".join(part for part in parts if part)

    async def open(self, connect: Connect) -> Rig:
        """Connect an account that publishes this form."""
        rig = await (as_webhook(connect) if self.account == "webhook" else connect(self.platform))
        if self.account == "page":
            own = f"urn:li:organization:{rig.account.user_id}"
            rig.stored = rig.stored.model_copy(update={"organization_urn": own})
            page = rig.platform.account_id((await rig.platform.whoami(rig.connection())).user_id)
            rig.account = replace(rig.account, account_id=page)
        await rig.platform.whoami(rig.connection())
        return rig

    def context(self, rig: Rig, text: str | None = None) -> PublishContext[Any]:
        """Return an attempt at a post of this form."""
        media = [rig.sandbox.media(name, "what it shows") for name in self.media]
        settings = dict(self.settings)
        if "url" in settings:
            # Reddit refuses a link that was submitted before.
            settings["url"] = f"https://example.com/{rig.account.user_id}"
        context = rig.context(self.text if text is None else text, media, settings=settings)
        if self.size:
            context.media = Large(rig.source, self.size)
        assert rig.platform.check(context.draft, rig.account) == []
        return context


FORMS = [
    Form("bluesky"),
    Form("bluesky", ("a.jpg",)),
    Form("bluesky", ("a.jpg", "b.png")),
    Form("bluesky", ("a.mp4",)),
    Form("discord"),
    Form("discord", ("a.jpg", "b.mp4")),
    Form("discord", settings={"poll": POLL}),
    Form("discord", text="", settings={"embeds": [{"title": "Today"}]}),
    Form("discord", account="webhook", confirmed="never", ruled_out=False),
    Form("discord", ("a.jpg",), account="webhook", confirmed="never", ruled_out=False),
    Form("facebook"),
    Form("facebook", ("a.jpg",)),
    Form("facebook", ("a.jpg", "b.png", "c.jpg")),
    Form("facebook", ("a.mp4",)),
    Form("facebook", ("a.mp4",), {"contentType": "reel"}),
    Form("facebook", ("a.jpg",), {"contentType": "story"}),
    Form("facebook", ("a.mp4",), {"contentType": "story"}),
    Form("googlebusiness", ("a.jpg",)),
    Form("googlebusiness", settings={"event": EVENT}),
    Form("instagram", ("a.jpg",)),
    Form("instagram", ("a.jpg", "b.jpg")),
    Form("instagram", ("a.mp4",)),
    Form("instagram", ("a.jpg",), {"contentType": "story"}),
    Form("linkedin", confirmed="by repeating"),
    Form("linkedin", ("a.jpg", "b.jpg"), confirmed="never", ruled_out=False),
    Form("linkedin", ("report.pdf",), confirmed="never", ruled_out=False),
    Form("linkedin", settings={"poll": POLL}, confirmed="never", ruled_out=False),
    Form("linkedin", account="page"),
    Form("linkedin", ("a.jpg", "b.jpg"), account="page"),
    Form("linkedin", ("report.pdf",), account="page"),
    Form("mastodon"),
    Form("mastodon", ("a.jpg", "b.gif"), {"visibility": "private"}),
    Form("mastodon", ("a.mp4",), text=""),
    Form("mastodon", settings={"poll": {"options": ["Yes", "No"]}, "spoilerText": "careful"}),
    Form("pinterest", ("a.jpg",), {"boardId": "549755885175", "title": "Landed"}),
    Form("pinterest", ("a.jpg", "b.jpg"), {"boardId": "549755885175"}),
    Form("pinterest", ("a.mp4",), {"boardId": "549755885175"}),
    Form("reddit", settings={"subreddit": "test", "title": "It landed & stays"}),
    Form("reddit", settings={"subreddit": "test", "title": "A link", "url": ""}),
    Form("reddit", ("a.jpg",), {"subreddit": "test", "title": "A picture"}),
    Form("reddit", ("a.jpg", "b.jpg"), {"subreddit": "test", "title": "A gallery"}),
    Form("telegram", confirmed="never", ruled_out=False),
    Form("telegram", ("a.jpg",), confirmed="never", ruled_out=False),
    Form("telegram", ("a.jpg", "b.mp4"), confirmed="never", ruled_out=False),
    Form("threads"),
    Form("threads", ("a.jpg",)),
    Form("threads", ("a.jpg", "b.jpg")),
    Form("threads", ("a.mp4",)),
    Form("tiktok", ("a.mp4",), TIKTOK),
    Form("tiktok", ("a.jpg",), TIKTOK, ruled_out=False),
    Form("tiktok", ("a.jpg", "b.jpg", "c.jpg"), TIKTOK, ruled_out=False),
    Form("twitter"),
    Form("twitter", ("a.jpg",)),
    Form("twitter", ("a.png", "b.png"), text=""),
    Form("youtube", ("a.mp4",), text="Sunset\nat the beach"),
    Form("youtube", ("a.mp4",), text="Sunset\nat the beach", size=2 * PIECE),
    Form("youtube", ("a.mp4",), text="Sunset\nat the beach", size=2 * PIECE + 1),
]
FIRST = list({(form.platform, form.account): form for form in reversed(FORMS)}.values())[::-1]
"""The simplest form of each platform and kind of account."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upload in small pieces, and check at once whether a platform has processed something."""
    monkeypatch.setattr(youtube, "PIECE_BYTES", PIECE)
    monkeypatch.setattr(tiktok, "CHUNK_BYTES", 5_000_000)
    monkeypatch.setattr(linkedin, "GRACE", timedelta())
    for module in (videos, tiktok, googlebusiness):
        monkeypatch.setattr(module, "CHECK_PAUSES", (0, 0.01))
