"""The API's document as the generator of the Python client needs it."""

from collections.abc import Iterator
from typing import Any

from clients.building.sources import SCHEMAS, openapi_document


def document_for_python() -> dict[str, Any]:
    """Return the document without what the package does by hand, and with answers that later versions may extend."""
    document = openapi_document()
    # `python_events` writes the types of their data, which programs read as JSON.
    document.pop("webhooks", None)
    schemas = document["components"]["schemas"]
    variants = schemas["WorkspaceEvent"]["oneOf"]
    event, *_ = [schemas.pop(variant["$ref"].removeprefix(SCHEMAS)) for variant in variants]
    known = {"event": {"$ref": f"{SCHEMAS}EventType"}, "data": {}}
    schemas["WorkspaceEvent"] = {
        **event,
        "title": "WorkspaceEvent",
        "description": "An event.",
        "properties": event["properties"] | known,
    }
    # Files are sent by `upload` and `import_file`.
    for path in document["paths"].values():
        for method in [name for name, operation in path.items() if _takes_only_files(operation)]:
            del path[method]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    for operation in operations:
        _simplify(operation)
    _loosen_answers(document, operations)
    return document


def _simplify(operation: dict[str, Any]) -> None:
    # Errors are exceptions, which the transport raises. Without an ETag no answer is 304.
    answers = operation["responses"]
    operation["responses"] = {status: answer for status, answer in answers.items() if status < "300"}
    parameters = operation.get("parameters", [])
    operation["parameters"] = [parameter for parameter in parameters if parameter["name"] != "If-None-Match"]
    # The generator cannot tell two types of files apart: `import_file` sends them.
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        operation["requestBody"]["content"] = {"application/json": content["application/json"]}


def _takes_only_files(operation: dict[str, Any]) -> bool:
    content = operation.get("requestBody", {}).get("content", {"application/json": {}})
    return "application/json" not in content


def _loosen_answers(document: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    """Let constants of answers be any value: a later version of the API may have another one there."""
    schemas = document["components"]["schemas"]
    names: set[str] = set()
    waiting = [name for operation in operations for name in _references(operation["responses"])]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += _references(schemas[name])
    for name in names:
        for part in _parts(schemas[name]):
            if "const" in part:
                part["type"] = {bool: "boolean", str: "string"}[type(part.pop("const"))]


def _references(part: Any) -> list[str]:
    return [str(inner["$ref"]).removeprefix(SCHEMAS) for inner in _parts(part) if _is_reference(inner)]


def _is_reference(part: dict[str, Any]) -> bool:
    return str(part.get("$ref", "")).startswith(SCHEMAS)


def _parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _parts(inner)
