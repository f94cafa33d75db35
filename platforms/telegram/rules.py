"""Telegram's limits, and what does not go together in one message."""

from datetime import timedelta

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.base import AccountFacts, Draft
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.telegram.settings import TelegramSettings
from platforms.telegram.text import visible
from platforms.texts.unicode import utf16_length

_API = "core.telegram.org/bots/api"
ALBUM_ITEMS = 10
"""Source: sendMediaGroup."""
CAPTION = 1024
"""The limit of a text with media; source: sendPhoto, sendMediaGroup."""
MEGABYTE = 1024 * 1024
"""Telegram's page names megabytes but does not say which; unverified."""
_MARKUP = 20
"""How many times longer than its visible text a text with its markup may be; our choice."""
SIDES, STEEPEST = 10_000, 20
"""The limits of a photo: width plus height, and the ratio of both; source: sendPhoto."""


def _channel_number(user_id: str) -> str:
    """Return the number by which addresses name a channel or supergroup; other chats have no addresses."""
    return user_id.removeprefix("-100") if user_id.startswith("-100") else ""


RULES = Rules(
    post_id=PostId(
        r"[0-9]{1,20}",
        "the message's number in its chat, digits alone",
        addresses=(
            (r"(?:t|telegram)\.me/c/(?P<owner>[0-9]+)/(?:[0-9]+/)?([0-9]+)/?(?:\?.*)?", r"\2"),
            (r"(?:t|telegram)\.me/(?:s/)?(?P<name>[A-Za-z0-9_]{2,})/(?:[0-9]+/)?([0-9]+)/?(?:\?.*)?", r"\2"),
            (r"(?P<name>[a-z0-9_-]+)\.t\.me/(?:[0-9]+/)?([0-9]+)/?(?:\?.*)?", r"\2"),
        ),
        # The name of a chat may change, and is stored beside titles, so only its number makes an address.
        pages=((r".+", r"https://t.me/c/{owner}/\g<0>"),),
        owner=_channel_number,
    ),
    text=TextRule(
        limit=4096,
        count=utf16_length,
        with_media=tuple((kind, CAPTION) for kind in MediaType),
        source=f"{_API}#sendmessage, #sendphoto",
    ),
    media=MediaRule(
        max_items=ALBUM_ITEMS,
        max_of=(
            (MediaType.IMAGE, ALBUM_ITEMS),
            (MediaType.VIDEO, ALBUM_ITEMS),
            (MediaType.GIF, 1),
            (MediaType.DOCUMENT, ALBUM_ITEMS),
        ),
        mixes=True,
        source=f"{_API}#sendmediagroup",
    ),
    files=(
        FileRule(
            MediaType.IMAGE,
            # WebP is not in the list, so it is converted: Telegram accepts it, but sometimes cannot read it.
            ("image/jpeg", "image/png"),
            max_bytes=10 * MEGABYTE,
            # Half of the sum each, so that every shape stays within it; larger photos are scaled.
            max_width=SIDES // 2,
            max_height=SIDES // 2,
            shrinks=True,
            min_ratio=1 / STEEPEST,
            max_ratio=STEEPEST,
            source=f"{_API}#sendphoto",
        ),
        FileRule(MediaType.VIDEO, ("video/mp4",), max_bytes=50 * MEGABYTE, source=f"{_API}#sendvideo"),
        FileRule(MediaType.GIF, ("image/gif",), max_bytes=50 * MEGABYTE, source=f"{_API}#sendanimation"),
        FileRule(
            MediaType.DOCUMENT,
            ("application/pdf", "application/zip", "application/x-ole-storage"),
            max_bytes=50 * MEGABYTE,
            source=f"{_API}#senddocument",
        ),
    ),
    rate_limits=(
        RateLimit(1, timedelta(seconds=1), source="core.telegram.org/bots/faq, per chat"),
        RateLimit(20, timedelta(minutes=1), source="core.telegram.org/bots/faq, per group"),
    ),
)


def check(label: str, draft: Draft[TelegramSettings], _: AccountFacts) -> list[Violation]:
    """Return everything Telegram would reject."""
    settings, text = draft.settings, draft.text
    # The markup is read only if the text can still fit.
    if len(text) <= RULES.text.limit * _MARKUP:
        text = visible(text, settings.parse_mode)
    violations = RULES.check(label, text, draft.media)
    if not text.strip() and not draft.media:
        violations.append(Violation("content", f"{label} needs text or media"))
    if len(draft.media) > 1 and any(item.type is MediaType.GIF for item in draft.media):
        violations.append(Violation("mediaItems", f"{label} publishes a GIF alone, not among other media"))
    kinds = {item.type for item in draft.media}
    if MediaType.DOCUMENT in kinds and len(kinds) > 1:
        violations.append(Violation("mediaItems", f"{label} publishes documents apart from other media"))
    for name, value in (
        ("hasSpoiler", settings.has_spoiler),
        ("showCaptionAboveMedia", settings.show_caption_above_media),
    ):
        if value and not kinds - {MediaType.DOCUMENT}:
            violations.append(setting(name, f"{label} takes {name} only with images, videos and GIFs"))
    if settings.disable_web_page_preview and draft.media:
        violations.append(setting("disableWebPagePreview", f"{label} previews no links beside media; leave it out"))
    return violations
