"""Drafts of posts for tests of the platforms' rules, with media written as letters, and the settings in them."""

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

ACCOUNT = AccountFacts("id_1", "1", "someone")
NOT_CONNECTED = AccountFacts("id_9", "", "")
DISCORD_BOT = AccountFacts("dc_1", "1", "general")
DISCORD_WEBHOOK = AccountFacts("dc_webhook-1", "webhook-1", "News")
X_PREMIUM = AccountFacts("tw_2", "2", "premium", premium=True)
LARGE_SERVER = AccountFacts(
    "ma_2", "1", "ann", limits={"characters": 5000, "attachments": 16, "poll_options": 10, "poll_characters": 200}
)
STRICT_SERVER = AccountFacts(
    "ma_3", "1", "ann", limits={"characters_per_url": 30, "description": 10, "poll_shortest": 600}
)

FAMILY = "👩‍👩‍👧‍👦"
"""One character for readers, of 25 bytes."""
URL, PICTURE = "https://example.com", "https://cdn.example.com/a.jpg"
CAPTION: dict[str, Any] = {"language": "en", "url": "https://cdn.example.com/waves.vtt"}
SUBRIP: dict[str, Any] = {"language": "en", "url": "https://cdn.example.com/waves.srt"}
POLL, QUESTION = {"options": ["Yes", "No"]}, {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}
ARTICLE = {"source": URL, "title": "A page"}
PAGE = "urn:li:organization:1"
EMBED = {"title": "x" * 100, "description": "x" * 2900}
BUTTON = {"type": "LEARN_MORE", "url": URL}
OFFER = {"couponCode": "WINTER"}
REEL_SETTINGS = {
    "shareToFeed": False,
    "audioName": "Waves",
    "thumbOffset": 0,
    "instagramThumbnail": PICTURE,
    "reelCover": PICTURE,
    "trialParams": {"graduationStrategy": "MANUAL"},
}
IMAGES = [{"type": "image", "url": PICTURE}]
WEBHOOK_SETTINGS: dict[str, Any] = {"username": "Ada", "avatarUrl": PICTURE, "threadName": "News"}


def post(text: str = "Hi", kinds: str = "", **settings: Any) -> dict[str, Any]:
    """Return a draft as the arguments of `broken`."""
    return {"text": text, "kinds": kinds, **settings}


def media(kinds: str, alt_text: str | None = None) -> tuple[Media, ...]:
    """Return media by letters: an image, a video, a GIF and a document are "ivgd"."""
    return tuple(Media(type=KINDS[kind], url=f"https://example.com/{kind}", alt_text=alt_text) for kind in kinds)


def draft(name: str, text: str = "Hi", kinds: str = "", *, alt_text: str | None = None, **settings: Any) -> Draft[Any]:
    """Return a draft for a platform with the settings that it requires, and these."""
    read = platforms()[name].settings.model_validate({**REQUIRED.get(name, {}), **settings})
    return Draft(text, media(kinds, alt_text), read)


def broken(
    name: str, text: str = "Hi", kinds: str = "", *, account: AccountFacts = ACCOUNT, **settings: Any
) -> list[tuple[str, str]]:
    """Return where a draft breaks a rule of its platform, as a path below the settings or a part, and the sentence."""
    platform = platforms()[name]
    violations = platform.check(draft(name, text, kinds, **settings), account)
    return [(".".join(map(str, violation.path)) or violation.part, violation.error) for violation in violations]
