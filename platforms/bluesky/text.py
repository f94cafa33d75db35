"""Counting a text as Bluesky does, and finding what the server does not find by itself: links, mentions and tags.

The grammar follows that of Bluesky's own client library (github.com/bluesky-social/atproto, packages/api), except that
all that begins with www. is a link.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import regex

from platforms.texts.domains import TLDS
from platforms.texts.unicode import graphemes

MOST_GRAPHEMES, MOST_BYTES = 300, 3000
"""Source: lexicon app.bsky.feed.post, text."""
LONGEST_TAG = 64
"""Graphemes; source: lexicon app.bsky.richtext.facet."""
LONGEST_HANDLE = 253
"""Source: atproto.com/specs/handle."""

_INVISIBLE = r"\u00AD\u2060\u200A\u200B\u200C\u200D\u20E2"
_LINK = regex.compile(
    r"(?<![^\s(])(?:(?:https?://|www\.(?=[^\s.]))\S+|(?<domain>[a-z][a-z0-9]*+(?:\.[a-z0-9]++)+)\S*)", regex.IGNORECASE
)
_MENTION = regex.compile(r"(?<![^\s(])@([A-Za-z0-9.-]++)")
_TAG = regex.compile(rf"(?<!\S)[#\uFF03](?!\uFE0F)([^\s{_INVISIBLE}]++)")
_HANDLE = regex.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", regex.IGNORECASE
)
_LAST_PUNCTUATION = regex.compile(r"(?<!\p{P})\p{P}++$")
_MORE_THAN_DIGITS = regex.compile(r"[^\d\p{P}]")
_ENDS_SENTENCE = ".,;:!?'\"\u00bb\u2019\u201d\u2026>]}"


class Span(NamedTuple):
    """A part of a text; `start` and `end` count characters."""

    start: int
    end: int
    text: str


def mentions(text: str) -> list[str]:
    """Return the handles that a text mentions, in lower case and without @, each once."""
    return list(dict.fromkeys(span.text.lower() for span in _mentions(text)))


def facets(text: str, dids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the facets of a text with their positions in its UTF-8 bytes.

    `dids` maps handles to DIDs; a mention of any other handle stays plain text.
    """
    features = [(span, {"$type": "app.bsky.richtext.facet#link", "uri": _address(span.text)}) for span in _links(text)]
    features += [
        (span, {"$type": "app.bsky.richtext.facet#mention", "did": dids[span.text.lower()]})
        for span in _mentions(text)
        if dids.get(span.text.lower())
    ]
    features += [(span, {"$type": "app.bsky.richtext.facet#tag", "tag": span.text}) for span in _tags(text)]
    return [
        {
            "index": {"byteStart": _bytes(text[: span.start]), "byteEnd": _bytes(text[: span.end])},
            "features": [feature],
        }
        for span, feature in sorted(features, key=lambda item: item[0].start)
    ]


def _bytes(text: str) -> int:
    return len(text.encode())


def _links(text: str) -> Iterator[Span]:
    for match in _LINK.finditer(text):
        link = match[0].rstrip(_ENDS_SENTENCE)
        unopened = link.count(")") - link.count("(")
        while link.endswith(")") and unopened > 0:
            link, unopened = link[:-1].rstrip(_ENDS_SENTENCE), unopened - 1
        if domain := match["domain"]:
            is_link = domain.lower().rpartition(".")[2] in TLDS
        else:
            is_link = bool(link.partition("://")[2]) or link.lower().startswith("www.")
        if is_link:
            yield Span(match.start(), match.start() + len(link), link)


def _address(link: str) -> str:
    return link if link.lower().startswith(("http://", "https://")) else f"https://{link}"


def _mentions(text: str) -> Iterator[Span]:
    for match in _MENTION.finditer(text):
        handle = match[1].rstrip(".-")
        if len(handle) <= LONGEST_HANDLE and _HANDLE.fullmatch(handle):
            yield Span(match.start(), match.start() + 1 + len(handle), handle)


def _tags(text: str) -> Iterator[Span]:
    for match in _TAG.finditer(text):
        tag = _LAST_PUNCTUATION.sub("", match[1])
        if _MORE_THAN_DIGITS.search(tag) and graphemes(tag) <= LONGEST_TAG:
            yield Span(match.start(), match.start() + 1 + len(tag), tag)
