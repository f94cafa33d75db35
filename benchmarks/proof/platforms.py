"""The requirements of a post on each platform, and the abilities of the platform."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

IMAGE = {"type": "image", "url": "https://example.com/proof.jpg"}
VIDEO = {"type": "video", "url": "https://example.com/proof.mp4"}


@dataclass(frozen=True, slots=True)
class Traits:
    """A platform, as far as the proof needs to know it.

    `api_name` is its name in the API if the two differ; `webhook` makes it an account that cannot be read back. `media`
    is what every post must have there. `upload` is what makes it upload something before the request that publishes.
    `readable`: a send can be confirmed. `rules_out`: confirming can also show that there is no such post. `renews`: an
    expired token is renewed without its owner. `found_by_words`: confirming needs nothing that a send left in the rows.
    `confirms_within`: a send can be confirmed only by a repeat that follows this soon.
    """

    api_name: str = ""
    webhook: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    media: dict[str, str] | None = None
    upload: dict[str, str] | None = field(default_factory=lambda: IMAGE)
    readable: bool = True
    rules_out: bool = True
    renews: bool = True
    editable: bool = False
    found_by_words: bool = False
    confirms_within: timedelta | None = None

    @property
    def uploads(self) -> bool:
        """Return whether anything is sent before the request that publishes."""
        return self.upload is not None


_TIKTOK = {"privacyLevel": "PUBLIC_TO_EVERYONE", "contentPreviewConfirmed": True, "expressConsentGiven": True}

PLATFORMS: dict[str, Traits] = {
    "bluesky": Traits(),
    "discord": Traits(upload=None, renews=False),
    "discord-webhook": Traits("discord", webhook=True, upload=None, readable=False, renews=False),
    "facebook": Traits(renews=False),
    "googlebusiness": Traits(upload=None, found_by_words=True),
    "instagram": Traits(media=IMAGE, renews=False),
    # A person's posts cannot be read. LinkedIn refuses a repeat as a duplicate, and for some minutes only.
    "linkedin": Traits(confirms_within=timedelta(minutes=8)),
    "mastodon": Traits(renews=False),
    "pinterest": Traits(settings={"boardId": "549755885175"}, media=IMAGE, upload=VIDEO, found_by_words=True),
    "reddit": Traits(settings={"subreddit": "test"}, found_by_words=True),
    "telegram": Traits(upload=None, readable=False, renews=False),
    "threads": Traits(renews=False),
    # Photos may be in moderation for hours before they are listed.
    "tiktok": Traits(settings=_TIKTOK, media=IMAGE, rules_out=False),
    "twitter": Traits(editable=True, found_by_words=True),
    "youtube": Traits(media=VIDEO, upload=VIDEO),
}


def api_name(platform: str) -> str:
    """Return the API's name of a platform."""
    return PLATFORMS[platform].api_name or platform


def body(
    platform: str, account_id: str, text: str, *, uploading: bool = False, files: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the body that creates a post for one account, without the time of publishing.

    `files`: addresses of files by their types, which take the place of the usual ones.
    """
    traits = PLATFORMS[platform]
    media = traits.upload if uploading else traits.media
    if media and files:
        media = media | {"url": files[media["type"]]}
    target: dict[str, Any] = {"platform": api_name(platform), "accountId": account_id}
    if traits.settings:
        target["platformSpecificData"] = traits.settings
    return {"content": text, "platforms": [target], **({"mediaItems": [media]} if media else {})}
