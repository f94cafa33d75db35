"""The promises of each release: kept, or named in CHANGELOG.md under "Breaking"."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from api.openapi.document import document
from tests.releases.api_changes import Break, breaking_changes
from tests.releases.folders import ROOT, Release, releases
from tests.releases.record import command_options, frozen_files, histories, metrics, settings

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
