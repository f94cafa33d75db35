"""The promises of each release: kept, or named in CHANGELOG.md under "Breaking"."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from api.openapi.document import document
from tests.releases.record import command_options, frozen_files, histories, metrics, settings
from tests.releases.trees import ROOT, Release, releases

Json = Mapping[str, Any]
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_UPPER, _LOWER = (
    ("maxLength", "maximum", "maxItems", "maxProperties"),
    ("minLength", "minimum", "minItems", "minProperties"),
)


class Direction(Enum):
    """The side that writes a document: a client may send what it sent, and finds in an answer what it found."""

    REQUEST = "request"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class Break:
    """A change that clients do not survive. `name` is what CHANGELOG.md must name: an operation or a component."""

    name: str
    change: str


def breaking_changes(old: Json, new: Json) -> list[Break]:
    """Return the changes from one document to another that break clients, each once."""
    comparison = _Comparison(old, new)
    return list(dict.fromkeys(comparison.documents()))


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new
        self._compared: set[tuple[str, str, Direction]] = set()

    def documents(self) -> Iterator[Break]:
        for path, item in self._old["paths"].items():
            for method in [method for method in _METHODS if method in item]:
                name = f"{method.upper()} {path}"
                newer = self._new["paths"].get(path, {})
                if method not in newer:
                    yield Break(name, "the operation is removed")
                    continue
                yield from self._operation(name, _with_parameters(item, method), _with_parameters(newer, method))

    def _operation(self, name: str, old: Json, new: Json) -> Iterator[Break]:
        before, after = self._parameters(self._old, old), self._parameters(self._new, new)
        for key, parameter in before.items():
            if key not in after:
                yield Break(name, f"the parameter {key[1]} is removed")
            else:
                yield from self._schema(
                    name,
                    f"parameter {key[1]}",
                    parameter.get("schema", {}),
                    after[key].get("schema", {}),
                    Direction.REQUEST,
                )
        for key, parameter in after.items():
            if parameter.get("required") and not before.get(key, {}).get("required"):
                yield Break(name, f"the parameter {key[1]} is required")
        yield from self._request(name, self._open(self._old, old.get("requestBody", {})), new)
        answers = {status: self._open(self._new, answer) for status, answer in new["responses"].items()}
        for status, answer in old["responses"].items():
            if status not in answers:
                yield Break(name, f"the answer {status} is removed")
                continue
            older = self._open(self._old, answer)
            for header in older.get("headers", {}).keys() - answers[status].get("headers", {}).keys():
                yield Break(name, f"the header {header} of the answer {status} is removed")
            yield from self._contents(name, f"answer {status}", older, answers[status], Direction.RESPONSE)

    def _request(self, name: str, old: Json, new_operation: Json) -> Iterator[Break]:
        new = self._open(self._new, new_operation.get("requestBody", {}))
        if new.get("required") and not old.get("required"):
            yield Break(name, "the body is required")
        yield from self._contents(name, "body", old, new, Direction.REQUEST)

    def _contents(self, name: str, where: str, old: Json, new: Json, direction: Direction) -> Iterator[Break]:
        for kind, content in old.get("content", {}).items():
            if kind not in new.get("content", {}):
                yield Break(name, f"the {where} of type {kind} is removed")
            else:
                newer = new["content"][kind]
                yield from self._schema(name, where, content.get("schema", {}), newer.get("schema", {}), direction)

    def _schema(self, name: str, where: str, old: Any, new: Any, direction: Direction) -> Iterator[Break]:
        if not isinstance(old, Mapping) or not isinstance(new, Mapping):
            if direction is Direction.REQUEST and new is False and old is not False:
                yield Break(name, f"{where} is not accepted")
            return
        if "$ref" in old:
            key = (old["$ref"], str(new.get("$ref", f"{name} {where}")), direction)
            if key in self._compared:
                return
            self._compared.add(key)
            name = old["$ref"].rpartition("/")[2]
            where = name
        older, newer = self._merged(self._old, old), self._merged(self._new, new)
        yield from self._values(name, where, older, newer, direction)
        yield from self._properties(name, where, older, newer, direction)
        yield from self._alternatives(name, where, older, newer, direction)
        for part in ("items", "additionalProperties"):
            if part in older:
                yield from self._schema(name, f"{where}[]", older[part], newer.get(part, {}), direction)

    def _values(self, name: str, where: str, old: Json, new: Json, direction: Direction) -> Iterator[Break]:
        before, after = _types(old), _types(new)
        wide, narrow = (after, before) if direction is Direction.REQUEST else (before, after)
        if wide and (not narrow or not narrow <= wide):
            yield Break(name, f"{where} changes its type from {sorted(before) or 'any'} to {sorted(after) or 'any'}")
        removed = [value for value in _enum(old) if _enum(new) and value not in _enum(new)]
        if removed or (direction is Direction.REQUEST and _enum(new) and not _enum(old)):
            yield Break(name, f"{where} loses values: {removed or 'all others'}")
        if direction is Direction.RESPONSE:
            return
        for bound in _UPPER:
            if bound in new and new[bound] < old.get(bound, float("inf")):
                yield Break(name, f"{where} has a lower {bound}")
        for bound in _LOWER:
            if bound in new and new[bound] > old.get(bound, 0 if bound != "minimum" else float("-inf")):
                yield Break(name, f"{where} has a higher {bound}")
        for rule in ("pattern", "format"):
            if new.get(rule) not in {None, old.get(rule)}:
                yield Break(name, f"{where} has another {rule}")

    def _properties(self, name: str, where: str, old: Json, new: Json, direction: Direction) -> Iterator[Break]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for field, schema in before.items():
            if field not in after:
                yield Break(name, f"the field {where}.{field} is removed")
            else:
                yield from self._schema(name, f"{where}.{field}", schema, after[field], direction)
        required, still = set(old.get("required", ())), set(new.get("required", ()))
        if direction is Direction.REQUEST:
            for field in sorted(still - required):
                yield Break(name, f"the field {where}.{field} is required")
        else:
            for field in sorted((required - still) & after.keys()):
                yield Break(name, f"the field {where}.{field} may be missing")

    def _alternatives(self, name: str, where: str, old: Json, new: Json, direction: Direction) -> Iterator[Break]:
        before, after = _alternatives(old), _alternatives(new)
        if not before:
            return
        # A client may send each form that it knew, and must know each form that it gets.
        forms, among = (before, after) if direction is Direction.REQUEST else (after, before)
        for number, form in enumerate(forms, 1):
            same = next((other for other in among if "$ref" in form and other.get("$ref") == form["$ref"]), None)
            if same is not None:
                yield from self._schema(name, where, form, same, direction)
            elif not any(self._fits(form, other, direction) for other in among):
                yield Break(name, f"{where} changes its form {number} of {len(forms)}")

    def _fits(self, form: Json, other: Json, direction: Direction) -> bool:
        old, new = (form, other) if direction is Direction.REQUEST else (other, form)
        compared = self._compared
        self._compared = set(compared)
        try:
            return not list(self._schema("", "", old, new, direction))
        finally:
            self._compared = compared

    def _parameters(self, document: Json, operation: Json) -> dict[tuple[str, str], Json]:
        opened = [self._open(document, parameter) for parameter in operation["parameters"]]
        return {(parameter["in"], parameter["name"]): parameter for parameter in opened}

    def _merged(self, document: Json, schema: Json) -> Json:
        """Return a schema without references at its top, and with the fields of its allOf."""
        opened = dict(self._open(document, schema))
        for part in opened.pop("allOf", ()):
            inner = self._merged(document, part)
            opened["properties"] = {**inner.get("properties", {}), **opened.get("properties", {})}
            opened["required"] = [*inner.get("required", ()), *opened.get("required", ())]
            opened = {**inner, **opened}
        return opened

    def _open(self, document: Json, value: Json) -> Json:
        while "$ref" in value:
            target: Any = document
            for step in value["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            value = {**target, **{key: other for key, other in value.items() if key != "$ref"}}
        return value


def _with_parameters(item: Json, method: str) -> Json:
    operation = item[method]
    return {**operation, "parameters": [*item.get("parameters", ()), *operation.get("parameters", ())]}


def _types(schema: Json) -> set[str]:
    types = schema.get("type", ())
    names = {types} if isinstance(types, str) else set(types)
    return names | ({"integer"} if "number" in names else set())


def _enum(schema: Json) -> Sequence[Any]:
    return [schema["const"]] if "const" in schema else schema.get("enum", ())


def _alternatives(schema: Json) -> Sequence[Json]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


RELEASES = releases()
AGAIN = "If it was never tagged: uv run python -m tests.releases.record VERSION."
each_release = pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)


def breaking_since(version: str) -> str:
    """Return what CHANGELOG.md has under "Breaking" after a release."""
    newer = (ROOT / "CHANGELOG.md").read_text().partition(f"\n## [{version}]")[0]
    return "\n".join(re.findall(r"^### Breaking\n(.*?)(?=^##|\Z)", newer, re.MULTILINE | re.DOTALL))


def unannounced(release: Release, broken: list[Break]) -> list[Break]:
    announced = breaking_since(release.version)
    return [change for change in broken if f"`{change.name}`" not in announced]


def removed(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[Break]:
    """Return the names, and the words of each, that are missing."""
    return [
        Break(f"{name} {word}".strip(), "removed")
        for name, words in before.items()
        for word in ([""] if name not in after else sorted(set(words) - set(after[name])))
    ]


@each_release
def test_migrations_and_functions_of_a_release_never_change(release: Release) -> None:
    frozen, now = release.read("frozen.json"), frozen_files()
    changed = [path for path, digest in frozen.items() if now.get(path) != digest]
    assert changed == [], f"Write a new migration, and a function with the next _v. {AGAIN}"


@each_release
def test_histories_of_a_release_are_replayed_for_ever(release: Release) -> None:
    recorded, now = release.read("histories.json"), histories()
    assert [path for path, digest in recorded.items() if now.get(path) != digest] == [], AGAIN


@each_release
def test_the_api_breaks_no_client_unannounced(release: Release) -> None:
    assert unannounced(release, breaking_changes(release.read("openapi.json"), document())) == [], AGAIN


@each_release
def test_no_option_is_removed_unannounced(release: Release) -> None:
    assert unannounced(release, removed(release.read("commands.json"), command_options())) == [], AGAIN


@each_release
def test_no_setting_and_no_metric_is_removed_unannounced(release: Release) -> None:
    names = {*settings(), *metrics()}
    missing = [name for kind in ("settings.json", "metrics.json") for name in release.read(kind) if name not in names]
    assert unannounced(release, [Break(name, "removed") for name in missing]) == [], AGAIN


Change = Callable[[dict[str, Any]], object]


def post_schema(api: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a post in answers."""
    answer = api["paths"]["/v1/posts/{postId}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return opened(api, answer)


def body_schema(api: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the body that creates a post."""
    body = api["paths"]["/v1/posts"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return opened(api, body)


def opened(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema["$ref"].rpartition("/")[2] if "$ref" in schema else None
    part: dict[str, Any] = api["components"]["schemas"][name] if name else schema
    return part


BREAKING: dict[str, Change] = {
    "the operation is removed": lambda api: api["paths"]["/v1/posts/{postId}"].pop("delete"),
    "the answer 200 is removed": lambda api: api["paths"]["/v1/posts/{postId}"]["get"]["responses"].pop("200"),
    ".content is removed": lambda api: post_schema(api)["properties"].pop("content"),
    ".status is required": lambda api: body_schema(api).setdefault("required", []).append("status"),
    "changes its type": lambda api: post_schema(api)["properties"].update(status={"type": "integer"}),
    ".id may be missing": lambda api: post_schema(api)["required"].remove("id"),
    "is required": lambda api: (
        api["paths"]["/v1/posts"]["get"]
        .setdefault("parameters", [])
        .append({"in": "query", "name": "must", "required": True, "schema": {}})
    ),
    "lower maxLength": lambda api: opened(api, body_schema(api))["properties"].update(
        externalId={**body_schema(api)["properties"]["externalId"], "maxLength": 1}
    ),
}


@pytest.mark.parametrize(("change", "make"), BREAKING.items())
def test_a_breaking_change_of_the_api_is_noticed(change: str, make: Change) -> None:
    before, after = document(), copy.deepcopy(document())
    make(after)
    assert any(change in broken.change for broken in breaking_changes(before, after)), breaking_changes(before, after)


def test_an_added_field_operation_or_parameter_breaks_nothing() -> None:
    before, after = document(), copy.deepcopy(document())
    post_schema(after)["properties"]["new"] = {"type": "string"}
    body_schema(after)["properties"]["new"] = {"type": "string"}
    after["paths"]["/v1/new"] = {"get": {"responses": {}}}
    after["paths"]["/v1/posts"]["get"]["parameters"].append({"in": "query", "name": "new", "schema": {}})
    assert breaking_changes(before, after) == []


def test_a_value_that_is_removed_is_noticed() -> None:
    before, after = document(), copy.deepcopy(document())
    enums = [schema for schema in after["components"]["schemas"].values() if "enum" in schema]
    enums[0]["enum"] = enums[0]["enum"][1:]
    assert any("loses values" in broken.change for broken in breaking_changes(before, after))


def test_a_removed_option_is_noticed() -> None:
    before = {"socialsyncer migrate": ["--contract", "--data-dir"], "socialsyncer old": []}
    after = {"socialsyncer migrate": ["--data-dir", "--new"]}
    assert removed(before, after) == [
        Break("socialsyncer migrate --contract", "removed"),
        Break("socialsyncer old", "removed"),
    ]
