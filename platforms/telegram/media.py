"""The choice of the method that publishes a draft, with its fields and files."""

from dataclasses import dataclass, field
from typing import Any

from domain.post import Media, MediaType
from platforms.base import Draft
from platforms.files import MediaFile
from platforms.http.multipart import FilePart, name_in
from platforms.telegram.rules import TelegramSettings

_SINGLE = {
    MediaType.IMAGE: ("sendPhoto", "photo"),
    MediaType.VIDEO: ("sendVideo", "video"),
    MediaType.GIF: ("sendAnimation", "animation"),
    MediaType.DOCUMENT: ("sendDocument", "document"),
}
_ALBUM = {MediaType.IMAGE: "photo", MediaType.VIDEO: "video", MediaType.DOCUMENT: "document"}
_ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "application/pdf": "pdf",
    "application/zip": "zip",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a sending method; source of all names: Telegram's Bot API."""

    method: str
    fields: dict[str, Any]
    parts: list[FilePart] = field(default_factory=list)


def build_call(draft: Draft[TelegramSettings], chat: str, files: list[MediaFile]) -> Call:
    """Return the call that publishes a draft in a chat; `files` are those of its media, in their order."""
    settings = draft.settings
    fields: dict[str, Any] = {"chat_id": int(chat) if chat.lstrip("-").isdecimal() else chat}
    fields |= _without_empty(
        disable_notification=settings.disable_notification,
        protect_content=settings.protect_content,
        message_thread_id=settings.message_thread_id,
    )
    if not draft.media:
        preview = {"is_disabled": True} if settings.disable_web_page_preview else None
        content = _without_empty(text=draft.text, parse_mode=settings.parse_mode, link_preview_options=preview)
        return Call("sendMessage", fields | content)
    appearance = _without_empty(
        has_spoiler=settings.has_spoiler, show_caption_above_media=settings.show_caption_above_media
    )
    caption = _without_empty(caption=draft.text, parse_mode=settings.parse_mode if draft.text else None)
    if len(draft.media) == 1:
        method, name = _SINGLE[draft.media[0].type]
        fields |= appearance | caption | _playing(draft.media[0].type, files[0])
        return Call(method, fields, [_part(name, draft.media[0], files[0])])
    names = [f"file{index}" for index in range(len(files))]
    fields["media"] = [
        {"type": _ALBUM[item.type], "media": f"attach://{name}", **appearance, **_playing(item.type, file)}
        for item, name, file in zip(draft.media, names, files, strict=True)
    ]
    # Telegram shows the caption of the first item under the whole album.
    fields["media"][0] |= caption
    parts = [_part(*part) for part in zip(names, draft.media, files, strict=True)]
    return Call("sendMediaGroup", fields, parts)


def _part(name: str, item: Media, file: MediaFile) -> FilePart:
    """Return a file. Readers see a document's name, and its ending says what opens it."""
    own = name_in(item.url, takes_utf8=True) if item.type is MediaType.DOCUMENT else ""
    return FilePart(name, own or f"{name}.{_ENDINGS.get(file.content_type, 'bin')}", file)


def _playing(kind: MediaType, file: MediaFile) -> dict[str, Any]:
    """Return how a video is shown, with its sides in pixels if they are known."""
    if kind is not MediaType.VIDEO:
        return {}
    return _without_empty(supports_streaming=True, width=file.width, height=file.height)


def _without_empty(**fields: Any) -> dict[str, Any]:
    """Return the fields that have a value: leaving one out means no, none or nothing."""
    return {name: value for name, value in fields.items() if value}
