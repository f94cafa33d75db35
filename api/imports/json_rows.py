"""The rows of an import that is JSON: a list in an object, or an object on each line."""

import re
from collections.abc import Iterator

from api.http.body import JsonObject, parse_object
from api.http.large_body import LARGEST_ROW, SplitBody
from api.posts.many.checking import Row
from domain.errors import InvalidRequest, Problem

_ROW = "The row"
_BLANK = re.compile(rb"[ \t\r\n]*")
_UTF8_MARK = b"\xef\xbb\xbf"


def list_rows(body: SplitBody) -> Iterator[Row]:
    """Yield the items of a list; their numbers are their places in it."""
    for number, (begin, end) in enumerate(body.items or ()):
        yield _row(number, body.raw[begin:end])


def line_rows(raw: bytearray) -> Iterator[Row]:
    """Yield the lines of newline-delimited JSON; blank ones are no rows. Lines are counted from 1."""
    at, number = len(_UTF8_MARK) if raw.startswith(_UTF8_MARK) else 0, 1
    while True:
        begin = _skip_blank(raw, at)
        if begin == len(raw):
            return
        number += raw.count(b"\n", at, begin)
        end = raw.find(b"\n", begin)
        at = len(raw) if end < 0 else end
        yield _row(number, raw[begin:at]) if at - begin <= LARGEST_ROW else _refused(number, _TOO_LARGE)


def _skip_blank(raw: bytearray, at: int) -> int:
    match = _BLANK.match(raw, at)
    return match.end() if match else at


def _row(number: int, text: bytearray) -> Row:
    try:
        body: JsonObject = parse_object(text, _ROW)
    except InvalidRequest as error:
        return Row(number, {}, error.problems)
    return Row(number, body)


def _refused(number: int, problem: Problem) -> Row:
    return Row(number, {}, (problem,))


_TOO_LARGE = Problem(f"{_ROW} is larger than {LARGEST_ROW // 2**20} MiB", "invalid_json")
