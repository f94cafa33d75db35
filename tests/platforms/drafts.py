"""Drafts of posts for tests of the platforms' rules, with media written as letters."""

from typing import Any

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.registry import platforms

KINDS = {"i": MediaType.IMAGE, "v": MediaType.VIDEO, "g": MediaType.GIF, "d": MediaType.DOCUMENT}
REQUIRED: dict[str, dict[str, Any]] = {
    "pinterest": {"boardId": "549755885175"},
    "reddit": {"subreddit": "test"},
    "tiktok": {"contentPreviewConfirmed": True, "expressConsentGiven": True, "privacyLevel": "PUBLIC_TO_EVERYONE"},
}
"""Settings without which a platform takes no post."""


def media(kinds: str, alt_text: str | None = None) -> tuple[Media, ...]:
    """Return media by letters: an image, a video, a GIF and a document are "ivgd"."""
    return tuple(Media(type=KINDS[kind], url=f"https://example.com/{kind}", alt_text=alt_text) for kind in kinds)


def draft(name: str, text: str = "Hi", kinds: str = "", *, alt_text: str | None = None, **settings: Any) -> Draft[Any]:
    """Return a draft for a platform with the settings that it requires, and these."""
    read = platforms()[name].settings.model_validate({**REQUIRED.get(name, {}), **settings})
    return Draft(text, media(kinds, alt_text), read)


def broken(
    name: str, text: str = "Hi", kinds: str = "", *, account: AccountFacts | None = None, **given: Any
) -> list[tuple[str, str]]:
    """Return where a draft breaks a rule of its platform, as a path below the settings or a part, and the sentence."""
    platform = platforms()[name]
    found = platform.check(draft(name, text, kinds, **given), account or AccountFacts("id_1", "1", "someone"))
    return [(".".join(map(str, each.path)) or each.part, each.error) for each in found]
