"""The size of an answer with a post, counted from its content before the answer is built."""

from typing import Any

from pydantic_core import to_json

from domain.content import PostContent
from domain.post import Media

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
