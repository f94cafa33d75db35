"""Strict reading of a request's JSON body: an ambiguous body, or one that cannot be stored, is refused here."""

import json
import math
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from litestar.exceptions import InternalServerException

from api.errors import UnsupportedMediaType
from api.http.headers import HttpRequest
from domain.errors import InvalidRequest, Problem
from domain.loop_share import loop_share
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
