"""Telegram's settings, limits and markup, and what does not go together in one message."""

import html
import re
from datetime import timedelta
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.base import AccountFacts, Draft
from platforms.client_model import ClientModel
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.texts.expensive import expensive
from platforms.texts.unicode import readable, utf16_length


class TelegramSettings(ClientModel):
    """Settings of a post on Telegram."""

    parse_mode: Literal["HTML", "MarkdownV2", "Markdown"] | None = Field(
        None,
        description="Read the text as Telegram's HTML or Markdown; left out, it is published letter by letter.",
        examples=["HTML"],
    )
    disable_web_page_preview: bool = Field(
        default=False, description="Show no preview of the first link; text posts only.", examples=[True]
    )
    disable_notification: bool = Field(
        default=False, description="Deliver without a sound; also accepted as `disable_notification`.", examples=[True]
    )
    protect_content: bool = Field(default=False, description="Forbid forwarding and saving.", examples=[True])
    has_spoiler: bool = Field(
        default=False, description="Cover the media until the reader taps on them; with media only.", examples=[True]
    )
    show_caption_above_media: bool = Field(
        default=False, description="Put the text above the media; with media only.", examples=[True]
    )
    message_thread_id: int | None = Field(
        None, ge=1, description="The topic of a forum group to publish in.", examples=[12]
    )


class TelegramCredentials(ClientModel):
    """A bot's token and the chat in which it publishes: `{"botToken": "…", "chatId": "@channel" or "-100…"}`.

    `accessToken` and `userId` are other names for them.
    """

    access_token: SecretStr = Field(validation_alias=AliasChoices("botToken", "accessToken"))
    user_id: str = Field(validation_alias=AliasChoices("chatId", "userId"), pattern=r"^(-?\d{1,20}|@[A-Za-z]\w{3,31})$")
    client_id: str | None = Field(None, description="The app whose bot is used.")


_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_LINK_MARKS = re.compile(r"\\.|!?\[|\]\(?|\)", re.DOTALL)
_ESCAPED = re.compile(r"\\([\x21-\x7e])")
_MARKS = re.compile(r"(?<!\\)[*_~`|]|(?m:^>)")


@expensive
def visible(text: str, parse_mode: str | None) -> str:
    """Return a text without its markup, never longer than what Telegram sees; the rest only Telegram can decide."""
    if parse_mode is None:
        return text
    if parse_mode == "HTML":
        return html.unescape(readable(_TAG.sub("", text)))
    return _ESCAPED.sub(r"\1", _MARKS.sub("", _without_addresses(text)))


def _without_addresses(text: str) -> str:
    """Return a text with its links' words in place of the links.

    It is one pass over the brackets, because a pattern for whole links would read to the end from each bracket.
    """
    pieces: list[str] = []
    done = 0
    words: tuple[int, int] | None = None
    """The begin and the end of the last opening bracket."""
    address: tuple[int, int, int] | None = None
    """The same for the bracket before an address, and the end of the words in it."""
    for mark in _LINK_MARKS.finditer(text):
        start, end = mark.span()
        if address is not None:
            if mark[0] == ")":
                pieces += (text[done : address[0]], text[address[1] : address[2]])
                done = end
                address = None
        elif mark[0] in {"[", "!["}:
            words = (start, end)
        elif mark[0] == "](" and words is not None:
            address = (words[0], words[1], start)
            words = None
        elif mark[0] == "]":
            words = None
    return "".join([*pieces, text[done:]])


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
