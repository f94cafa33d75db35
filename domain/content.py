"""The content of a post as its client wants it: its form in the API, in rows and in waiting revisions, and its size."""

import re
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from domain.post import PUBLISH_WITHIN_S, Media, media_in_effect, text_in_effect

_TYPES = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".heic", ".bmp", ".tif", ".tiff", ".avif"), "image"),
    ".gif": "gif",
    **dict.fromkeys((".mp4", ".mov", ".m4v", ".webm", ".avi", ".mkv"), "video"),
    **dict.fromkeys((".pdf", ".doc", ".docx", ".ppt", ".pptx"), "document"),
}
_TYPED = re.compile(r"(image|video|gif|document):(?=https?://)")


def parse_named_media(name: str) -> dict[str, str] | None:
    """Return a media item for an address, which may have its type in front: `video:https://…`.

    Returns None if neither the name nor the ending of the address shows the type.
    """
    typed = _TYPED.match(name)
    url = name[typed.end() :] if typed else name
    try:
        kind = typed[1] if typed else _TYPES.get(PurePosixPath(urlsplit(url).path).suffix.lower())
    except ValueError:
        return None
    return {"type": kind, "url": url} if kind else None


class TargetContent(BaseModel):
    """The content for one account."""

    platform: str
    account_id: str
    custom_content: str | None = None
    custom_media: list[Media] | None = None
    settings: dict[str, Any] = {}


class PostContent(BaseModel):
    """The content of a post, its targets and its time."""

    content: str | None = None
    media_items: list[Media] = []
    targets: list[TargetContent] = []
    tags: list[str] = []
    timezone: str = "UTC"
    scheduled_for: datetime | None = None
    scheduled_wall: str | None = None
    external_id: str | None = None
    """The client's own id of the post."""
    campaign_id: str | None = None
    after_post_id: str | None = None
    """The post that it waits for as a draft (domain.moves); it has no time meanwhile."""
    after_delay: str | None = None
    """How long after that one it is published: an ISO 8601 duration; None for right after it."""
    after_on_failure: str | None = None
    """What becomes of it if that one fails (domain.moves.OnFailure)."""
    planned_for: datetime | None = None
    """The value of `scheduled_for` before the post was published ahead of it."""
    tiktok_settings: dict[str, Any] = {}
    facebook_settings: dict[str, Any] = {}
    publish_within: int = PUBLISH_WITHIN_S
    """Seconds after its due time in which the post may still be published."""

    def text_for(self, target: TargetContent) -> str:
        """Return the text of a target."""
        return text_in_effect(self.content, target.custom_content)

    def media_for(self, target: TargetContent) -> list[Media]:
        """Return the media of a target."""
        return media_in_effect(self.media_items, target.custom_media)

    def sent_to(self, target: TargetContent) -> tuple[str, list[Media], dict[str, Any]]:
        """Return text, media and settings of a target, as its platform gets them."""
        return self.text_for(target), self.media_for(target), self.settings_for(target)

    def settings_for(self, target: TargetContent) -> dict[str, Any]:
        """Merge the root settings of the target's platform under its own."""
        return merge_settings(target.platform, target.settings, self.tiktok_settings, self.facebook_settings)


class EditedText(BaseModel):
    """The new text of published targets."""

    content: str
    target_ids: list[str]


def merge_settings(
    platform: str, own: dict[str, Any], tiktok: dict[str, Any], facebook: dict[str, Any]
) -> dict[str, Any]:
    """Return the settings in effect: the target's own win over the root ones of its platform.

    A name is the same in camelCase and in snake_case: clients may write both.
    """
    root = {"tiktok": tiktok, "facebook": facebook}.get(platform, {})
    overridden = {to_camel(name) for name in own}
    return {**{name: value for name, value in root.items() if to_camel(name) not in overridden}, **own}


_OF_A_POST = 1_000
_OF_A_TARGET = 4_000
"""Bytes of ids, times, addresses and sentences, most of which platforms add later (500 characters at most each)."""
_OF_A_CHANGE = 300
"""Bytes of the record of one media file's changes, without its address."""
_COUNTED_ALONE = {"content", "media_items", "targets"}
"""Fields of a post that are counted with its targets."""


def answer_bytes(content: PostContent) -> int:
    """Return how many bytes of JSON an answer with this post may have before it is edited.

    Each target repeats its text, so a post can be a hundred times as large as the request that made it.
    """
    shared_text, shared_media = _size(content.content or ""), _media(content.media_items)
    size = _OF_A_POST + shared_text + shared_media
    size += len(content.model_dump_json(exclude=_COUNTED_ALONE).encode())
    for target in content.targets:
        size += _OF_A_TARGET + _size(target.settings)
        # A text of its own is the one in effect, too. Changes of media name their addresses once more.
        size += shared_text if target.custom_content is None else 2 * _size(target.custom_content)
        size += shared_media if target.custom_media is None else 2 * _media(target.custom_media)
    return size


def edit_bytes(before: str, after: str) -> int:
    """Return how many bytes an answer grows by if a target's text is edited."""
    return _OF_A_CHANGE + _size(before) + max(0, _size(after) - _size(before))


def _size(value: Any) -> int:
    return len(to_json(value, inf_nan_mode="strings"))


def _media(items: list[Media]) -> int:
    return sum(_OF_A_CHANGE + _size([item.url, item.alt_text]) for item in items)
