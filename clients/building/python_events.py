"""The types of events in the Python client, each with the data of its kind: its generator knows no such unions."""

from pathlib import Path
from typing import Any

from clients.building.sources import SCHEMAS, openapi_document

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
