"""Read query parameters strictly: known names only, each once; and cursors, which clients send back unread."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl

from api.http.body import MAX_PROBLEMS
from api.http.headers import HttpRequest
from api.http.operation import Json, served_operation
from api.http.suggest import did_you_mean, unknown_platform
from domain.errors import InvalidRequest, Problem
from platforms.registry import platforms

LONGEST_CURSOR = 200
NO_CURSOR = "must be the cursor of an earlier answer to a request with the same other parameters"
"""What is wrong with a cursor that cannot be read, after the parameter's name."""


class _Row(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_Row)


def cut_page(rows: Sequence[R], limit: int) -> tuple[Sequence[R], str | None]:
    """Return a page of rows in the order of their ids, one more of which was read, and the cursor of the next page."""
    page = rows[:limit]
    return page, encode_cursor({"id": page[-1].id}) if len(rows) > limit else None


def encode_cursor(content: dict[str, Any]) -> str:
    """Return a cursor that holds some JSON."""
    return base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).rstrip(b"=").decode()


def decode_cursor(text: str) -> dict[str, Any]:
    """Return the JSON of a cursor, an empty object if it holds none. Raises ValueError."""
    if len(text) > LONGEST_CURSOR:
        raise ValueError(NO_CURSOR)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        content = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError(NO_CURSOR) from error
    return content if isinstance(content, dict) else {}


def encode_time(at: datetime) -> str:
    """Return an aware time as cursors hold it."""
    return at.astimezone(UTC).isoformat()


def decode_time(text: object) -> datetime:
    """Return the time that a cursor holds, in UTC. Raises ValueError."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ValueError(NO_CURSOR) from error
    if at.tzinfo is None or at.utcoffset():
        raise ValueError(NO_CURSOR)
    return at


MAX_LIMIT = 100
"""Entries of one page of any list."""
_FLAGS = {"true": True, "false": False}
Query = dict[str, Any]
"""The parameters of a query as their schemas say, by name: those that are not given are their default, or None."""
T = TypeVar("T")
E = TypeVar("E", bound=str)


def parse_query(request: HttpRequest, without: Collection[str] = ()) -> tuple[dict[str, str], list[Problem]]:
    """Return what can be read of the query's parameters, and what is wrong with the others. Raises InvalidRequest.

    The operation says which there are; those in `without` are unknown for this request.
    """
    values, problems = parse_lists(request, without)
    return {name: first for name, (first, *_) in values.items()}, problems


def parse_lists(request: HttpRequest, without: Collection[str] = ()) -> tuple[dict[str, list[str]], list[Problem]]:
    """Return as `parse_query` does, each parameter with all its values: those that are arrays may have several."""
    raw: bytes = request.scope["query_string"]
    if not raw:
        return {}, []
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=MAX_PROBLEMS)
    except ValueError as error:
        raise InvalidRequest(Problem("There are too many query parameters", "invalid_field_value")) from error
    known = {name: parameter for name, parameter in served_operation(request).query.items() if name not in without}
    values: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for name, value in pairs:
        if name not in known:
            hint = did_you_mean(name, known)
            problems.append(Problem(f"{name} is not a known query parameter{hint}", "unknown_parameter", name))
        elif name in values and known[name]["schema"].get("type") != "array":
            problems.append(Problem(f"{name} may be given only once", "invalid_field_value", name))
        elif not value.strip() or "\0" in value:
            problems.append(Problem(f"{name} must not be empty", "invalid_field_value", name))
        else:
            values.setdefault(name, []).append(value)
    return values, list(dict.fromkeys(problems))


def convert_parameter(
    query: Mapping[str, str], problems: list[Problem], name: str, convert: Callable[[str], T]
) -> T | None:
    """Return a parameter's value; None if it is missing or cannot be read. In the latter case a problem is added.

    `convert` raises ValueError, whose text continues a sentence that begins with the parameter's name.
    """
    if name not in query:
        return None
    try:
        return convert(query[name])
    except ValueError as error:
        problems.append(Problem(f"{name} {error}", "invalid_field_value", name))
        return None


def read_values(
    request: HttpRequest, parameters: Mapping[str, Json], readers: Mapping[str, Callable[[str], Any]]
) -> Query:
    """Return the query's values, read by the schemas of its parameters, or by `readers`. Raises InvalidRequest."""
    values: Query = {name: parameter["schema"].get("default") for name, parameter in parameters.items()}
    if not request.scope["query_string"]:
        return values
    lists, query_problems = parse_lists(request)
    problems: list[Problem] = []
    for name, texts in lists.items():
        schema = parameters[name]["schema"]
        read = readers.get(name) or partial(_read_value, schema)
        items = [convert_parameter({name: text}, problems, name, read) for text in texts]
        values[name] = items if schema.get("type") == "array" else items[0]
    if problems or query_problems:
        raise InvalidRequest([*dict.fromkeys(problems), *query_problems])
    return values


def _read_value(schema: Json, text: str) -> Any:
    """Return the value that a text has by a JSON Schema. Raises ValueError."""
    schema = schema.get("items", schema)
    if "$ref" in schema:
        return parse_platform(text)
    if "enum" in schema:
        return parse_choice(schema["enum"], text)
    if schema["type"] == "integer":
        return parse_number(text, schema["minimum"], schema["maximum"])
    return parse_flag(text) if schema["type"] == "boolean" else text


def parse_number(text: str, least: int, most: int) -> int:
    """Return a whole number. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(text)


def parse_limit(text: str) -> int:
    """Return how many entries a page may hold. Raises ValueError."""
    return parse_number(text, 1, MAX_LIMIT)


def parse_flag(text: str) -> bool:
    """Return what a parameter says that is true or false. Raises ValueError."""
    if text not in _FLAGS:
        raise ValueError("must be true or false")
    return _FLAGS[text]


def parse_choice(choices: Iterable[E], text: str) -> E:
    """Return the choice that has this value. Raises ValueError."""
    known = {str(choice): choice for choice in choices}
    if text not in known:
        raise ValueError(f"must be one of {', '.join(known)}{did_you_mean(text, known)}")
    return known[text]


def parse_platform(text: str) -> str:
    """Return the name of a platform. Raises ValueError."""
    if text not in platforms():
        raise ValueError(unknown_platform(text))
    return text


def known_platform(platform: str) -> str:
    """Return the platform that a path names. Raises InvalidRequest."""
    if platform not in platforms():
        sentence = f"platform {unknown_platform(platform)}"
        raise InvalidRequest(Problem(sentence, "invalid_field_value", "platform"))
    return platform


def read_id(text: str) -> str:
    """Return the id that a cursor holds. Raises ValueError."""
    row_id = decode_cursor(text).get("id")
    if not isinstance(row_id, str) or not row_id.isprintable():
        raise ValueError(NO_CURSOR)
    return row_id
