"""Requests whose fields, lists and stored objects are at their bounds together, made from the OpenAPI document."""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from api.http.body import MAX_BYTES
from api.openapi.document import document
from domain.workspaces import MAX_VALUES

_NUMBERS = (1, 2, 5, 7, 28, 31, 53, 60, 267, 366)
"""Where lists of numbers begin whose bounds the document does not have: those of weeks, months and years."""
_NEVER = {"publishNow": False, "checkMedia": False}
"""What workers would do, and not the API."""
_UNIQUE = ("externalId", "idempotencyKey")
"""What names an item of a list: no two of a request have the same."""
_USUAL = ("content", "platforms")
"""What a post is refused without, for a reason that the document cannot say."""
_TEXT = "TEXT!"
_LARGEST = MAX_BYTES - 8 * 1024
"""Bytes of a body, nearly as many as are accepted."""
_TIMES = ("scheduledFor", "until", "startsAt", "endsAt", "scheduledTo")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the document."""

    method: str
    path: str
    parameters: Sequence[Mapping[str, Any]]
    schema: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"


def operations() -> Iterator[Operation]:
    """Yield the operations of the document, those that delete last."""
    listed = [
        Operation(
            method,
            path,
            [_resolved(one) for one in operation.get("parameters", [])],
            operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema"),
        )
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]
    yield from sorted(listed, key=lambda one: (one.method == "delete", "/delete" in one.path))


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        part: Any = document()
        for name in schema["$ref"].removeprefix("#/").split("/"):
            part = part[name]
        schema = part
    return schema


@dataclass(slots=True)
class Bounds:
    """The values at the bounds of schemas, chosen by chance, for a workspace with stored objects."""

    chance: random.Random
    stored: Mapping[str, Sequence[str]]
    """Ids by the names of the fields that take them."""
    accounts: Sequence[Mapping[str, str]]
    """Platform and id of each account."""
    longest: int = 0
    """Characters of a text: fewer in a body with many of them, which would be refused for its size."""
    items: int = 10_000
    """The most items of a list."""
    apart: int = 1
    """Hours between the times of a list: next to each other, or over all the years that a series has."""

    def request(self, operation: Operation) -> tuple[str, dict[str, str], Any]:
        """Return an address with its query, and a body."""
        path, query = operation.path, {}
        for parameter in operation.parameters:
            place, name, schema = parameter["in"], parameter["name"], parameter.get("schema", {})
            if place == "path":
                path = path.replace(f"{{{name}}}", str(self.value(schema, name)))
            elif place == "query" and name != "cursor" and (parameter.get("required") or self.chance.random() < 0.5):
                query[name] = _written(self.value(schema, name))
        if operation.schema is None:
            return path, query, None
        state, self.longest = self.chance.getstate(), 0
        for items in (10_000, 100, 20, 5):
            self.items = items
            self.chance.setstate(state)
            draft = json.dumps(self.value(operation.schema))
            if len(draft) < _LARGEST and sum(map(draft.count, "[{,")) < MAX_VALUES:
                break
        room = (_LARGEST - len(draft)) // (7 * draft.count(_TEXT) or 1)
        self.chance.setstate(state)
        self.longest = max(1, min(room, self.chance.choice([100, 2_500, 100_000])))
        self.chance.setstate(state)
        body = self.value(operation.schema)
        return path, query, body

    def value(self, schema: Mapping[str, Any], name: str = "", at: int = 0) -> Any:  # noqa: C901 one branch for a kind
        """Return a value of a schema; `at`: which of a list."""
        schema = _resolved(schema)
        if name in _NEVER:
            return _NEVER[name]
        if name in self.stored and "object" not in str(schema.get("type")) and "properties" not in schema:
            ids = self.stored[name]
            return [*ids] if schema.get("type") == "array" else ids[at % len(ids)] if at else self.chance.choice(ids)
        for choices in ("anyOf", "oneOf"):
            if choices in schema:
                options = [option for option in schema[choices] if _resolved(option).get("type") != "null"]
                return self.value(self.chance.choice(options), name, at)
        if "allOf" in schema:
            return self.value(schema["allOf"][0], name, at)
        if "enum" in schema:
            return schema["enum"][at % len(schema["enum"])] if at else self.chance.choice(schema["enum"])
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._list(schema, name)
        if kind == "integer":
            return self.chance.choice([schema.get("minimum", 1), schema.get("maximum", 31)])
        if kind == "boolean":
            return self.chance.random() < 0.5
        return self._text(schema, name, at)

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        required = schema.get("required", ())
        fields = {
            name: self.value(field, name)
            for name, field in schema.get("properties", {}).items()
            if name in required or name in _USUAL or self.chance.random() < 0.5
        }
        return {**fields, **self.chance.choice(self.accounts)} if {"platform", "accountId"} <= fields.keys() else fields

    def _list(self, schema: Mapping[str, Any], name: str) -> list[Any]:
        items, most = _resolved(schema["items"]), schema.get("maxItems", 100)
        number = min(self.items, self.chance.choice([most, most, most, min(2, most)]))
        self.apart = self.chance.choice([1, 73])
        if items.get("type") == "integer" and "minimum" not in items:
            first, sign = self.chance.choice(_NUMBERS), self.chance.choice([1, 1, -1])
            return [sign * (first + at) for at in range(number)]
        accounts = self.chance.choice([self.accounts, [self.chance.choice(self.accounts)]])
        if {"platform", "accountId"} <= items.get("properties", {}).keys():
            return [{**self._object(items), **account} for account in accounts][:number]
        options = [_resolved(option) for option in items.get("oneOf", [])]
        if options and all({"platform", "accountId"} <= option.get("properties", {}).keys() for option in options):
            # One target for each platform; there is one account of each.
            chosen = [(options[self.accounts.index(account)], account) for account in accounts]
            return [{**self._object(option), **account} for option, account in chosen][:number]
        if items.get("type") == "object" or "properties" in items:
            one = self._object(items)
            fields, first = items.get("properties", {}), self.chance.getrandbits(64)
            ids = [key for key in ("id", "postId") if key in one]
            names = [key for key in _UNIQUE if key in fields]
            return [
                one | {key: self.value(fields[key], key, at + 1) for key in ids} | dict.fromkeys(names, f"{first}-{at}")
                for at in range(number)
            ]
        return [self.value(items, name.removesuffix("s"), at + 1) for at in range(number)]

    def _text(self, schema: Mapping[str, Any], name: str, at: int) -> str:
        pattern, now = schema.get("pattern", ""), datetime.now(UTC)
        if name in {"from", "to"} and "T" not in pattern:
            return f"{now + timedelta(days=0 if name == 'from' else self.chance.choice([40, 61, 365])):%Y-%m-%d}"
        if "T[0-9]{2}:[0-9]{2}" in pattern or name in _TIMES:
            days = 1 if at else self.chance.choice([-300, 1, 300, 1800])
            return f"{now + timedelta(days=days, hours=at * self.apart):%Y-%m-%dT%H}:00:00"
        if pattern.startswith("^([01]"):
            return f"{at % 24:02}:{at // 24 % 60:02}"
        if name == "timezone":
            return "America/New_York"
        if name in {"text", "content", "customContent", "altText"}:
            text = self.chance.choice(["word ", "https://a.com/a ", "@a@a.com ", "\u4e2d"])
            return (text * self.longest)[: min(self.longest, schema.get("maxLength", 10**6))] or _TEXT
        examples = schema.get("examples") or [schema.get("example", "x")]
        text = str(self.chance.choice(examples))
        return f"{text}{at}" if at else text


def _written(value: Any) -> str:
    return (
        json.dumps(value)
        if isinstance(value, bool)
        else ",".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    )


def repaired(body: Any, response: httpx.Response, chance: random.Random) -> bool:
    """Leave out of a body the fields that an answer finds wrong; return whether there was one.

    Of fields that exclude each other, which an error names, one is left out by chance.
    """
    document = response.json() if response.content.startswith(b"{") else {}
    items = document.get("results") or []
    problems = [*document.get("errors", []), *(problem for item in items for problem in item.get("errors", []))]
    problems += [problem for item in items for problem in item.get("error", {}).get("errors", [])]
    removed = []
    # The items of a list are alike, and so are their problems.
    for sentence, param in {problem["error"]: problem.get("param") or "" for problem in problems}.items():
        *parents, name = param.split(".")
        others = [[*parents, word] for word in set(re.findall(r"\w+", sentence)) - {name} if param]
        wrong = [[*parents, name], *sorted(filter(partial(_has, body), others))]
        removed.append(_remove(body, chance.choice(wrong)))
    return any(removed)


def _has(part: Any, names: Sequence[str]) -> bool:
    if not names:
        return True
    name, *rest = names
    if isinstance(part, list):
        return bool(part) and _has(part[0], rest if name.isdecimal() else names)
    if not isinstance(part, dict):
        return False
    return _has(part[name], rest) if name in part else _has(part.get("posts"), names)


def _remove(part: Any, names: Sequence[str]) -> bool:
    """Remove a field wherever a list has it, so that all items stay alike."""
    if not names:
        return False
    name, *rest = names
    if isinstance(part, list):
        removed = [_remove(item, rest if name.isdecimal() else names) for item in part]
        return any(removed)
    if not isinstance(part, dict):
        return False
    if name not in part:
        return "posts" in part and _remove(part["posts"], names)
    if name == "posts" and not rest:
        return False
    if rest and _remove(part[name], rest):
        return True
    if rest and isinstance(part[name], list):
        # An item of which nothing can be left out, for example a target that needs media.
        at = int(rest[0]) if rest[0].isdecimal() else len(part[name])
        return len(part[name]) > 1 and bool(part[name][at : at + 1] and [part[name].pop(at)])
    del part[name]
    return True
