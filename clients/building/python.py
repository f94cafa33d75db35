"""The build of the Python client: models and calls by openapi-python-client, beside the code in clients/python."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clients.building.sources import ROOT, SCHEMAS, build_wheel, copy_package, openapi_document, run_uv

_MODULE = '''"""Events, whose kind says which form their data have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypedDict, TypeVar, Union, cast

from .models.event_type import EventType
from .models.workspace_event import WorkspaceEvent

Kind = TypeVar("Kind", bound=EventType)
Data = TypeVar("Data")


class Event(WorkspaceEvent, Generic[Kind, Data]):
    """An event of the feed. After `if event.event == "post.failed"`, `event.data` are those of a failed post."""

    event: Kind
    data: Data


def read_event(event: Mapping[str, Any]) -> AnyEvent:
    """Return an event of the feed. A newer server may send other kinds."""
    return cast("AnyEvent", Event.from_dict(event))
'''
_JSON_TYPES = {"string": "str", "boolean": "bool", "integer": "int", "null": "None"}
_IMPORT = "from ..models.workspace_event import WorkspaceEvent"


def write_events(generated: Path) -> None:
    """Write the module of events into the generated package, and let its models read events by it."""
    schemas = openapi_document()["components"]["schemas"]
    kinds: dict[str, list[str]] = {}
    for variant in schemas["WorkspaceEvent"]["oneOf"]:
        fields = schemas[_name(variant)]["properties"]
        kinds.setdefault(_name(fields["data"]), []).extend(fields["event"]["enum"])
    forms = [name for name in schemas if name in kinds or name == "PostOutcome"]
    parts = [_typed_dict(name, schemas[name], schemas) for name in forms]
    of_webhook, of_feed = list[str](), list[str]()
    for form, names in kinds.items():
        event, kind = form.removesuffix("Data"), f"Literal[{', '.join(map(repr, names))}]"
        fields = f"    id: str\n    event: {kind}\n    timestamp: str\n    data: {form}"
        parts.append(f'class {event}(TypedDict):\n    """The body of a webhook\'s request."""\n\n{fields}')
        of_webhook.append(event)
        of_feed.append(f"Event[{kind}, {form}]")
    unions = [f"EventBody = Union[{', '.join(of_webhook)}]", f"AnyEvent = Union[{', '.join(of_feed)}]"]
    (generated / "events.py").write_text("\n\n\n".join([_MODULE, *parts, *unions]) + "\n")
    for model in [path for path in generated.glob("models/*.py") if path.stem != "__init__"]:
        text = model.read_text().replace("WorkspaceEvent.from_dict(", "read_event(")
        model.write_text(text.replace(_IMPORT, "from ..events import AnyEvent as WorkspaceEvent, read_event"))


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).removeprefix(SCHEMAS)


def _typed_dict(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    fields = {field: _annotation(value, schemas) for field, value in schema["properties"].items()}
    # NotRequired is new in Python 3.11.
    optional = [f"    {field}: {kind}" for field, kind in fields.items() if field not in schema["required"]]
    required = [f"    {field}: {fields[field]}" for field in schema["required"]]
    base = f"class _{name}(TypedDict, total=False):\n" + "\n".join(optional) + "\n\n\n" if optional else ""
    above = f"_{name}, TypedDict" if optional else "TypedDict"
    return f'{base}class {name}({above}):\n    """{schema["description"]}"""\n\n' + "\n".join(required)


def _annotation(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = _name(schema)
        return _annotation(schemas[name], schemas) if "enum" in schemas[name] else name
    if "anyOf" in schema:
        return " | ".join(_annotation(choice, schemas) for choice in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return f"Literal[{', '.join(map(repr, schema.get('enum') or [schema['const']]))}]"
    if schema["type"] == "array":
        return f"list[{_annotation(schema['items'], schemas)}]"
    return _JSON_TYPES[schema["type"]]


def document_for_python() -> dict[str, Any]:
    """Return the document without what the package does by hand, and with answers that later versions may extend."""
    document = openapi_document()
    # `write_events` writes the types of their data, which programs read as JSON.
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


GENERATOR = "openapi-python-client==0.29.1"
SOURCE = ROOT / "clients/python"
_PACKAGE = "socialsyncer_client"
# Enums as strings; the oldest Python that the package supports.
_CONFIGURATION = """literal_enums: true
post_hooks:
  - ruff check --isolated --target-version py310 --select F,I --fix --quiet .
  - ruff format --isolated --target-version py310 --quiet .
"""


def build_python(out: Path) -> list[Path]:
    """Build wheel and source distribution of the Python client, and return their files."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "python"
        write_package(folder)
        return build_wheel(folder, out)


def write_package(folder: Path) -> None:
    """Write the package's sources to a folder, generated ones included."""
    copy_package(SOURCE, folder)
    (folder / "openapi.json").write_text(json.dumps(document_for_python()))
    (folder / "generator.yml").write_text(_CONFIGURATION)
    run_uv(
        folder,
        *("run", "--no-project", "--python", sys.executable, "--with", GENERATOR),
        *("python", str(Path(__file__).with_name("run_generator.py")), _PACKAGE),
    )
    write_events(folder / _PACKAGE / "generated")
    for name in ("openapi.json", "generator.yml"):
        (folder / name).unlink()
