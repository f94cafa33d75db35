"""Ranges of a file that a request asks for (RFC 9110, section 14)."""

import re
from dataclasses import dataclass

from api.http.headers import HttpRequest

_ONE_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))[ \t]*", re.IGNORECASE | re.ASCII)


class Unsatisfiable(Exception):
    """A range that begins behind the end of the file."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a file, from `start` to before `end`."""

    start: int
    end: int


def parse_range(request: HttpRequest, tag: str, size: int) -> ByteRange | None:
    """Return the part of a file that a request asks for; None for the whole. Raises Unsatisfiable.

    Several ranges, and what cannot be read, mean the whole file, as RFC 9110 allows. So does an `If-Range` that names
    anything but `tag`, the file's own.
    """
    match = _ONE_RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or request.headers.get("if-range", tag).strip() != tag:
        return None
    first, last, suffix = match.groups()
    if first is None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise Unsatisfiable
    return ByteRange(start, end)
