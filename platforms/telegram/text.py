"""Counting a text as Telegram does: UTF-16 units of the text without its markup."""

import html
import re

from platforms.texts.entities import readable
from platforms.texts.expensive import expensive

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
