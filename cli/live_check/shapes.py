"""The parts of requests and answers that may be shown: names, types and numbers of the protocol, no secrets."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

MOST_KEYS = 60
"""Of one JSON object; objects with more are maps from ids, mostly."""
_DEEPEST = 8
_WORD = re.compile(r"[A-Za-z][A-Za-z_.$-]{0,39}")
_VERSION = re.compile(r"v\d{1,3}(\.\d{1,3})?|\d")
_FIELD = re.compile(r"[A-Za-z$@][A-Za-z0-9_.$@:-]{0,59}")
_CODE = re.compile(r"[A-Za-z][A-Za-z_.-]{0,59}|-?\d{1,9}")
_CODES = frozenset({"code", "subcode", "error_subcode", "error", "reason", "status", "state", "type", "is_transient"})
"""Fields whose values are shown if they are words or numbers of the protocol: they say what an answer means."""
_NUMBERS = re.compile(r"[0-9.,;:= /a-zA-Z_-]{1,80}")
_REPORTED_HEADERS = re.compile(
    r"content-type|retry-after|(x-)?rate-?limit.*|x-user-limit-.*|x-app-limit-.*|x-ratelimit.*|deprecation|sunset"
)


def value_shape(value: Any, depth: int = 0) -> Any:
    """Return a JSON value with its keys, and the types of its values in their place."""
    if isinstance(value, dict):
        if depth >= _DEEPEST or len(value) > MOST_KEYS:
            return f"object of {len(value)}"
        return {_key(key): _shaped(key, item, depth) for key, item in value.items()}
    if isinstance(value, list):
        if not value:
            return []
        shapes = [value_shape(item, depth + 1) for item in value[:MOST_KEYS]]
        different = [item for at, item in enumerate(shapes) if item not in shapes[:at]]
        return [*different[:5], f"{len(value)} in all"]
    return _type(value)


def _shaped(key: object, value: Any, depth: int) -> Any:
    scalar = isinstance(value, str | int) and not isinstance(value, dict)
    if scalar and str(key).lower() in _CODES and _CODE.fullmatch(str(value)):
        return f"{_type(value)} {value}"
    return value_shape(value, depth + 1)


def _key(key: object) -> str:
    name = str(key)
    return name if _FIELD.fullmatch(name) and sum(map(str.isdigit, name)) < 6 else "…"


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    text = str(value)
    if not text:
        return "string, empty"
    if text.isdecimal():
        return "string of digits"
    if re.match(r"https?://", text):
        return "string, address"
    return "string, time" if re.match(r"\d{4}-\d\d-\d\dT\d\d:", text) else "string"


def path_shape(path: str, private: frozenset[str]) -> str:
    """Return a path with its words; ids, names and tokens in it become "…". `private` are words to be hidden, too."""
    parts = [unquote(part) for part in path.partition("?")[0].split("/")]
    return "/".join(part if not part or _may_be_reported(part, private) else "…" for part in parts)


def _may_be_reported(part: str, private: frozenset[str]) -> bool:
    return part.lower() not in private and bool(_WORD.fullmatch(part) or _VERSION.fullmatch(part))


def headers_shape(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers about limits, versions and kinds of content, if their values have nothing else in them."""
    reported = {name.lower(): value for name, value in headers.items() if _REPORTED_HEADERS.fullmatch(name.lower())}
    return {name: value if _NUMBERS.fullmatch(value) else "…" for name, value in sorted(reported.items())}
