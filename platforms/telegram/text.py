"""Count a text as Telegram does: UTF-16 units of what is left once the markup is read."""

import html
import re

_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_LINK = re.compile(r"!?\[((?:[^\]\\]|\\.)*)\]\((?:[^)\\]|\\.)*\)")
_ESCAPED = re.compile(r"\\([\x21-\x7e])")
_MARKS = re.compile(r"(?<!\\)[*_~`|]|(?m:^>)")


def utf16_length(text: str) -> int:
    """Return the UTF-16 units of a text, in which Telegram measures."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def visible(text: str, parse_mode: str | None) -> str:
    """Return a text without its markup, never longer than what Telegram sees: what it alone can tell, it judges."""
    if parse_mode is None:
        return text
    if parse_mode == "HTML":
        return html.unescape(_TAG.sub("", text))
    return _ESCAPED.sub(r"\1", _MARKS.sub("", _LINK.sub(r"\1", text)))
