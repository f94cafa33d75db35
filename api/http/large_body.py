"""Bodies of many rows, which only few routes take: read as bytes, and taken apart piece by piece."""

import codecs
import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from litestar.exceptions import InternalServerException

from api.errors import UnsupportedMediaType
from api.http.body import MAX_BYTES, JsonObject, content_type, parse_object
from api.http.headers import HttpRequest
from domain.errors import InvalidRequest, Problem
from domain.loop_share import LoopShare

LARGE_BYTES = 32 * 1024 * 1024
"""Bytes of a body with many rows."""
LARGEST_ROW = MAX_BYTES
"""Bytes of one row: as many as the body that would create its post alone."""
_USUAL_ROWS = (4 * 1024, 64 * 1024, LARGEST_ROW)
"""Bytes that are parsed in search of the end of a value: first few, because most rows are small."""
_SPACE = re.compile(rb"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class LargeBody:
    """A body as it came."""

    raw: bytearray
    content_type: str
    digest: bytes
    """The SHA-256 of its bytes and its type."""


async def read_large_body(request: HttpRequest, content_types: Collection[str]) -> LargeBody:
    """Return a body of one of these types; without a Content-Type, of the first of them.

    Raises InvalidRequest, UnsupportedMediaType; Litestar raises 413.
    """
    kind = content_type(request) or next(iter(content_types))
    if kind not in content_types:
        sentence = f"The body must be sent with one of these types as Content-Type: {', '.join(content_types)}"
        raise UnsupportedMediaType(Problem(sentence, "unsupported_media_type"))
    raw, digest = bytearray(), hashlib.sha256(f"{kind}\n".encode())
    try:
        async for piece in request.stream():
            raw += piece
            digest.update(piece)
    except InternalServerException as error:
        # Litestar's exception for a client that disconnected while it was sending: it is no error of this service.
        raise _invalid("The body ended early") from error
    return LargeBody(raw, kind, digest.digest())


@dataclass(frozen=True, slots=True)
class SplitBody:
    """A JSON object with a long list, whose items are not parsed yet."""

    raw: bytearray
    fields: JsonObject
    """The fields beside the list."""
    items: list[tuple[int, int]] | None
    """Where the items of the list begin and end; None if there is no list."""


async def split_body(raw: bytearray, name: str, most: int, turn: LoopShare) -> SplitBody:
    """Return the parts of a JSON object whose list `name` may have up to `most` items of LARGEST_ROW bytes.

    The list is never in memory as objects, and each item is still to be read strictly, by `parse_object`. Raises
    InvalidRequest.
    """
    reader = _JsonReader(raw)
    fields: list[bytes] = []
    size = 0
    items: list[tuple[int, int]] | None = None
    reader.require(b"{", "The body must be a JSON object")
    while not reader.take(b"}"):
        if fields or items is not None:
            reader.require(b",")
        key_begin, key_end = reader.value("a name")
        reader.require(b":")
        key = bytes(raw[key_begin:key_end])
        if key != json.dumps(name).encode():
            begin, end = reader.value(key.decode())
            fields.append(key + b":" + raw[begin:end])
            size += len(fields[-1])
            if size > MAX_BYTES:
                raise _invalid(f"Beside {name}, the body may have at most {MAX_BYTES // 2**20} MiB")
            await turn.pause()
            continue
        if items is not None:
            raise _invalid(f"The body is not valid JSON: the key '{name}' is given twice")
        reader.require(b"[", f"{name} must be an array", name)
        items = []
        while not reader.take(b"]"):
            if items:
                reader.require(b",")
            if len(items) == most:
                raise InvalidRequest(Problem(f"{name} may hold at most {most:,} items", "invalid_field_value", name))
            items.append(reader.value(f"{name}.{len(items)}"))
            await turn.pause()
    if not reader.is_at_end():
        raise reader.error()
    return SplitBody(raw, parse_object(b"{" + b",".join(fields) + b"}"), items)


class _JsonReader:
    """A reader of JSON text from its beginning, value by value."""

    def __init__(self, raw: bytearray) -> None:
        self._raw = raw
        self._at = 0
        self._skip_space()

    def is_at_end(self) -> bool:
        """Return whether nothing follows."""
        return self._at == len(self._raw)

    def take(self, byte: bytes) -> bool:
        """Return whether this byte comes next, and continue behind it if it does."""
        if self._raw[self._at : self._at + 1] != byte:
            return False
        self._at += 1
        self._skip_space()
        return True

    def require(self, byte: bytes, sentence: str = "", param: str | None = None) -> None:
        """Continue behind this byte. Raises InvalidRequest if another one comes next."""
        if not self.take(byte):
            raise InvalidRequest(Problem(sentence, "invalid_json", param)) if sentence else self.error()

    def value(self, name: str) -> tuple[int, int]:
        """Return where the next value begins and ends, and continue behind it. Raises InvalidRequest."""
        begin = self._at
        for size in _USUAL_ROWS:
            is_whole = begin + size >= len(self._raw)
            try:
                text, _ = codecs.utf_8_decode(self._raw[begin : begin + size], "strict", is_whole)
                _, end = _DECODER.raw_decode(text)
            except UnicodeDecodeError as error:
                raise _invalid("The body is not valid UTF-8") from error
            except RecursionError as error:
                raise _invalid("The body is nested too deep") from error
            except ValueError as error:
                if is_whole:
                    raise self.error() from error
                continue
            # A number that ends with the piece may continue behind it.
            if is_whole or end < len(text):
                self._at = begin + len(text[:end].encode())
                self._skip_space()
                return begin, begin + len(text[:end].encode())
        raise _invalid(f"{name[:100]} is larger than {LARGEST_ROW // 2**20} MiB, or not valid JSON")

    def error(self) -> InvalidRequest:
        """Return the error that the text is no JSON at this place."""
        line = self._raw.count(b"\n", 0, self._at) + 1
        return _invalid(f"The body is not valid JSON (line {line}, byte {self._at})")

    def _skip_space(self) -> None:
        match = _SPACE.match(self._raw, self._at)
        self._at = match.end() if match else self._at


def _invalid(sentence: str) -> InvalidRequest:
    return InvalidRequest(Problem(sentence, "invalid_json"))
