"""The platforms' own documents of their APIs: those that may be distributed, and a place for others."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import yaml

from sandbox.wire import Request

SHIPPED = Path(__file__).parents[1] / "specs"
"""Documents with a free licence; the folder's README.md names their sources."""
NOT_SHIPPED = Path(__file__).parents[3] / "shared" / "specs"
"""Documents whose licence does not allow us to distribute them. Tests that need them skip if they are missing."""


def needs(path: str) -> pytest.MarkDecorator:
    """Return a mark that skips tests if a document that we may not distribute, or a folder of those, is missing."""
    place = NOT_SHIPPED / path
    return pytest.mark.skipif(not place.exists(), reason=f"{place} is missing, and is not ours to distribute")


def read(path: str) -> str:
    """Return the text of a document."""
    compressed = SHIPPED / f"{path}.gz"
    if compressed.exists():
        return gzip.decompress(compressed.read_bytes()).decode()
    plain = SHIPPED / path
    return (plain if plain.exists() else NOT_SHIPPED / path).read_text(encoding="utf-8")


@cache
def document(path: str) -> Any:
    """Return the content of a document."""
    return json.loads(read(path)) if path.endswith(".json") else yaml.load(read(path), yaml.CSafeLoader)


@cache
def _validator(path: str, name: str) -> Any:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document(path)["components"]}
    is_old = document(path)["openapi"].startswith("3.0")
    return (jsonschema_rs.Draft4Validator if is_old else jsonschema_rs.Draft202012Validator)(schema)


def validate(path: str, name: str, body: object) -> None:
    """Check a body against a schema of an OpenAPI document. Raises jsonschema_rs.ValidationError."""
    _validator(path, name).validate(body)


def edge_parameters(node: str, method: str, edge: str) -> dict[str, str]:
    """Return the parameters, and their types, of an edge of Meta's Graph API."""
    [api] = [
        api for api in document(f"meta/{node}.json")["apis"] if (api["method"], api.get("endpoint")) == (method, edge)
    ]
    return {param["name"]: param["type"] for param in api["params"]}


def node_fields(node: str) -> set[str]:
    """Return the fields of a node of Meta's Graph API."""
    return {field["name"] for field in document(f"meta/{node}.json")["fields"]}


def read_form(request: httpx.Request) -> dict[str, Any]:
    """Return the fields of the form that a request carries; those of files are bytes."""
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    return dict(Request(request.method, "/", b"", headers, request.content).form())
