"""Texts in HTML that Python's own readers neither refuse nor need long for, whatever a stranger wrote."""

import re

_LONG_NUMBER = re.compile(r"&#[0-9]{20,}+;?")
_LOOSE_BRACKET = re.compile(r"<(?![^<>]*+>)")


def readable(html: str) -> str:
    """Return HTML whose references to characters `html.unescape` can read.

    Python raises ValueError for numbers of thousands of digits. No character has such a number.
    """
    return _LONG_NUMBER.sub("\ufffd", html)


def parsable(html: str) -> str:
    """Return HTML for an `HTMLParser`, which would read on to the end from each bracket that nothing closes."""
    return _LOOSE_BRACKET.sub("&lt;", readable(html))
