"""Functions that make untrusted HTML safe for Python's own parsers, which may raise or take very long on it."""

import re

_LONG_NUMBER = re.compile(r"&#[0-9]{20,}+;?")
_LOOSE_BRACKET = re.compile(r"<(?![^<>]*+>)")
_NO_TAG = re.compile(r"<[!?][^<>]*+>|<[^<>]{16384,}+>")
"""Comments, declarations, and tags that are longer than any page needs: a parser reads each in one piece."""


def readable(html: str) -> str:
    """Return HTML whose character references `html.unescape` can read.

    Python raises ValueError for numbers of thousands of digits. No character has such a number.
    """
    return _LONG_NUMBER.sub("\ufffd", html)


def parsable(html: str) -> str:
    """Return HTML for an `HTMLParser`, which would read to the end of the text from each unclosed bracket."""
    return _NO_TAG.sub("", _LOOSE_BRACKET.sub("&lt;", readable(html)))
