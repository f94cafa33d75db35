"""Strict reading of JSON bodies, and of bodies with many rows, which are taken apart piece by piece."""

import codecs
import hashlib
import json
import math
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from litestar.exceptions import InternalServerException

from api.errors import UnsupportedMediaType
from api.http.headers import HttpRequest
from domain.errors import InvalidRequest, Problem
from domain.loop_share import LoopShare, loop_share
from domain.workspaces import MAX_NAME, MAX_TEXT, MAX_VALUES

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 32
_MAX_DIGITS = 19
"""The digits of a 64-bit integer: no number of this API is larger, and PostgreSQL's limits are beyond it."""
MAX_PROBLEMS = 100
"""More are not listed: a hostile body could cause millions."""

JsonObject = dict[str, Any]


class SizedBody(dict[str, Any]):
    """A body's object, and how many bytes it was."""

    size = 0


def body_size(payload: JsonObject) -> int:
    """Return how many bytes a body was; 0 if it was made otherwise."""
    return payload.size if isinstance(payload, SizedBody) else 0


def sized(payload: JsonObject) -> SizedBody:
    """Return a part of a body with its size: heavy ones take turns on the event loop (`domain.loop_share`)."""
    body = SizedBody(payload)
    body.size = len(json.dumps(payload, ensure_ascii=False))
    return body


async def read_json(request: HttpRequest) -> JsonObject:
    """Return the body as a JSON object. Raises InvalidRequest, UnsupportedMediaType; Litestar raises 413."""
    _check_content_type(request)
    raw = await _raw(request)
    async with loop_share(len(raw)) as turn:
        payload = SizedBody(parse_object(raw))
        payload.size = len(raw)
        await turn.pause()
        check_size(payload)
    return payload


async def read_optional_json(request: HttpRequest) -> JsonObject:
    """Return the body as a JSON object, an empty one if there is no body. Raises as `read_json` does."""
    return await read_json(request) if await _raw(request) else SizedBody()


async def read_no_body(request: HttpRequest) -> None:
    """Accept no body or an empty object. Raises as `read_json` does."""
    if not await _raw(request):
        return
    if payload := await read_json(request):
        raise InvalidRequest(
            [Problem(f"{name} is not a known field", "unknown_parameter", name) for name in payload][:MAX_PROBLEMS]
        )


async def _raw(request: HttpRequest) -> bytes:
    try:
        return await request.body()
    except InternalServerException as error:
        # Litestar's exception for a client that disconnected while it was sending: it is no error of this service.
        raise _invalid("The body ended early") from error


def content_type(request: HttpRequest) -> str | None:
    """Return the type of a body without its parameters, None without one. Raises UnsupportedMediaType if compressed."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise UnsupportedMediaType(
            Problem("The body must not be compressed: Content-Encoding is not supported", "unsupported_media_type")
        )
    kind = request.headers.get("content-type")
    return None if kind is None else kind.partition(";")[0].strip().lower()


def _check_content_type(request: HttpRequest) -> None:
    essence = content_type(request)
    if essence is None:
        return
    if essence != "application/json" and not (essence.startswith("application/") and essence.endswith("+json")):
        raise UnsupportedMediaType(
            Problem("The body must be JSON, sent with Content-Type: application/json", "unsupported_media_type")
        )


def parse_object(raw: bytes | bytearray, name: str = "The body") -> JsonObject:
    """Parse UTF-8 JSON text that must be an object; `name`: what sentences call it. Raises InvalidRequest."""
    try:
        payload = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise _invalid(f"{name} is not valid UTF-8") from error
    except RecursionError as error:
        raise _invalid(f"{name} is nested too deep") from error
    except json.JSONDecodeError as error:
        if not raw.strip():
            raise _invalid(f"{name} is empty: send a JSON object") from error
        if raw.startswith(BOM_UTF8):
            raise _invalid(f"{name} begins with a byte order mark: send UTF-8 without it") from error
        raise _invalid(f"{name} is not valid JSON (line {error.lineno}, column {error.colno})") from error
    except ValueError as error:
        raise _invalid(f"{name} is not valid JSON: {error}") from error
    if not isinstance(payload, dict):
        raise _invalid(f"{name} must be a JSON object")
    return payload


def _invalid(sentence: str) -> InvalidRequest:
    return InvalidRequest(Problem(sentence, "invalid_json"))


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice[:100]!r} is given twice")
    return result


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def check_size(payload: JsonObject, name: str = "The body") -> int:
    """Limit the structure of a body, and so the work of all code that walks through it. Raises InvalidRequest.

    Returns how many values it holds. `name` is as of `parse_object`.
    """
    level: list[Any] = [payload]
    values = 0
    for _ in range(_MAX_DEPTH):
        values += sum(map(len, level))
        if values > MAX_VALUES:
            raise _invalid(f"{name} holds more than {MAX_VALUES:,} values")
        if any(len(name) > MAX_NAME for value in level if isinstance(value, dict) for name in value):
            raise _invalid(f"{name} holds a name of more than {MAX_NAME} characters")
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, dict | list)
        ]
        if not level:
            return values
    raise _invalid(f"{name} is nested too deep")


def unusable_strings(payload: JsonObject) -> list[Problem]:
    """Return a problem for each string of a body that is longer than any text, or that PostgreSQL could not keep."""
    return list(islice(_unusable_strings(payload, ()), MAX_PROBLEMS))


def _unusable_strings(value: Any, path: tuple[str, ...]) -> Iterator[Problem]:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            where = ".".join(path)
            yield Problem(f"{where} may be at most {MAX_TEXT:,} characters long", "invalid_field_value", where)
        elif not _is_text(value):
            yield _bad_text(path)
        return
    if not isinstance(value, dict | list):
        return
    for name, item in value.items() if isinstance(value, dict) else ((str(at), item) for at, item in enumerate(value)):
        if _is_text(name):
            yield from _unusable_strings(item, (*path, name))
        else:
            yield _bad_text((*path, name))


def _is_text(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _bad_text(path: tuple[str, ...]) -> Problem:
    where = ".".join(path)
    return Problem(
        f"{where} holds a character that is no text: NUL, or half of a surrogate pair", "invalid_field_value", where
    )


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
