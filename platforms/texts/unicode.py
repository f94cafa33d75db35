"""Unicode functions whose cost is linear in the text, whatever an untrusted text contains."""

import re
import unicodedata
from typing import Literal

import regex

LONGEST_RUN = 64
"""Most combining marks in a row that are ordered together. Unicode's own safe format has 30 (UAX #15, D3)."""

_LONG_RUN = regex.compile(rf"[^\p{{ccc=0}}]{{{LONGEST_RUN}}}(?=[^\p{{ccc=0}}])")
_FLAG = regex.compile(r"\p{Regional_Indicator}{2}")
_CLUSTER = regex.compile(r"\X")


def nfc(text: str) -> str:
    """Return a text in normal form C.

    Putting n marks in order costs n * n steps. Runs of more than `LONGEST_RUN` marks are therefore normalised in
    pieces; no script writes such runs.
    """
    return _normalised("NFC", text)


def nfkc(text: str) -> str:
    """Return a text in normal form KC, with marks treated as in `nfc`."""
    return _normalised("NFKC", text)


def _normalised(form: Literal["NFC", "NFKC"], text: str) -> str:
    if text.isascii():
        return text
    start, pieces = 0, []
    for run in _LONG_RUN.finditer(text):
        pieces.append(unicodedata.normalize(form, text[start : run.end()]))
        start = run.end()
    return "".join([*pieces, unicodedata.normalize(form, text[start:])])


def compatible_length(text: str, most: int | None = None) -> int:
    """Return the length of a text in normal form KD, which is never less than in KC: one character may become 18.

    Of a text that is longer than `most`, return any number above it, and read no more than that takes.
    """
    if text.isascii():
        return len(text)
    length = 0
    for start in range(0, len(text), LONGEST_RUN):
        length += len(unicodedata.normalize("NFKD", text[start : start + LONGEST_RUN]))
        if most is not None and length > most:
            break
    return length


def utf16_length(text: str) -> int:
    """Return the UTF-16 units of a text, never fewer than its characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def graphemes(text: str) -> int:
    """Return how many characters a reader sees (UAX #29)."""
    if text.isascii() and "\r" not in text:
        return len(text)
    # For each half of a flag the library goes back to the first flag of the row. A letter is a cluster like a flag.
    return sum(1 for _ in _CLUSTER.finditer(_FLAG.sub("x", text)))


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
