"""The request bodies that make a message on Discord; source of all names: Discord's API, MessageCreateRequest."""

import hashlib
from typing import Any

from domain.post import Media, MediaType
from platforms.base import Draft
from platforms.discord.rules import ALL_BYTES, MEBIBYTE
from platforms.discord.settings import DiscordSettings, Poll
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.http.multipart import FilePart, name_in

SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS = 1 << 2, 1 << 12

_ENDINGS = {
    "image/jpeg": "jpg",
    "video/quicktime": "mov",
}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def message_body(draft: Draft[DiscordSettings], files: list[MediaFile]) -> dict[str, Any]:
    """Return the body that makes the message, without the fields that only bots or only webhooks have."""
    settings = draft.settings
    flags = SUPPRESS_EMBEDS * settings.suppress_embeds | SUPPRESS_NOTIFICATIONS * settings.silent
    fields: dict[str, Any] = {
        "content": draft.text,
        "embeds": [embed.model_dump(mode="json", exclude_none=True) for embed in settings.embeds],
        "poll": _poll(settings.poll) if settings.poll else None,
        "flags": flags,
        "tts": settings.tts,
        "attachments": [
            {"id": str(index), "filename": part.filename} | ({"description": item.alt_text} if item.alt_text else {})
            for index, (item, part) in enumerate(zip(draft.media, file_parts(draft, files), strict=True))
        ],
    }
    # Without this, every @everyone in a text would notify all members.
    mentions = {"allowed_mentions": {"parse": sorted(set(settings.allowed_mentions))}}
    return {name: value for name, value in fields.items() if value} | mentions


def _poll(poll: Poll) -> dict[str, Any]:
    return {
        "question": {"text": poll.question},
        "answers": [{"poll_media": {"text": option}} for option in poll.options],
        "duration": poll.duration_hours,
        "allow_multiselect": poll.multiple,
    }


def webhook_fields(settings: DiscordSettings) -> dict[str, Any]:
    """Return the additional fields that a webhook may set."""
    fields = {"username": settings.username, "avatar_url": settings.avatar_url, "thread_name": settings.thread_name}
    return {name: value for name, value in fields.items() if value}


def bot_fields(target_id: str) -> dict[str, Any]:
    """Return the nonce by which Discord recognises a repeat for some minutes and answers with the first message."""
    number, nonce = int.from_bytes(hashlib.sha256(target_id.encode()).digest()[:16]), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        nonce += _DIGITS[digit]
    return {"nonce": nonce, "enforce_nonce": True}


def file_parts(draft: Draft[DiscordSettings], files: list[MediaFile]) -> list[FilePart]:
    """Return the files as parts of the form. Raises PlatformError(rejected) if together they are too large."""
    if (size := sum(file.size for file in files)) > ALL_BYTES:
        message = f"Discord allows {ALL_BYTES // MEBIBYTE} MB of files in a post; these have {size / MEBIBYTE:,.1f} MB."
        raise PlatformError(ErrorKind.REJECTED, message, code="files_too_large")
    return [
        FilePart(f"files[{index}]", _filename(item, index, file), file)
        for index, (item, file) in enumerate(zip(draft.media, files, strict=True))
    ]


def _filename(item: Media, index: int, file: MediaFile) -> str:
    """Return the file name that readers see. A document keeps its own, because its ending says what opens it."""
    if item.type is MediaType.DOCUMENT and (name := name_in(item.url)):
        return name
    ending = _ENDINGS.get(file.content_type) or file.content_type.rpartition("/")[2]
    return f"{item.type}{index + 1}.{ending}"
