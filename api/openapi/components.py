"""The operations of the document, their schemas, and examples of bodies, responses and errors.

A settings model of a platform bears its platform's name, so two platforms may both have a `Poll`. A test finds the
sentence of each error in the code.
"""

import csv
import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from api.accounts.routes import AccountEndpoints
from api.bulk.bodies import PatchItemBody, PostItemBody
from api.bulk.routes import BulkEndpoints
from api.calendar.routes import CalendarEndpoints, CalendarViewEndpoints
from api.campaigns.routes import CampaignEndpoints
from api.campaigns.schemas import NULLABLE as NULLABLE_OF_CAMPAIGNS
from api.connect.routes import ConnectEndpoints
from api.errors import ErrorView, error_type
from api.events.routes import EventEndpoints
from api.events.schemas import EVENTS
from api.http.operation import Json, operations_served
from api.http.parameters import PLATFORM_REF
from api.imports.routes import ImportEndpoints
from api.keys.routes import KeyEndpoints
from api.media.routes import MediaEndpoints, MultipartEndpoints
from api.pauses.routes import PauseEndpoints
from api.platforms import PlatformEndpoints
from api.posts.answers.views import TargetView
from api.posts.bodies.parse_patch import NULLABLE
from api.posts.bodies.schemas import PatchBody
from api.posts.routes import OutcomeEndpoints, PostEndpoints
from api.queues.routes import QueueEndpoints
from api.series.routes import SeriesEndpoints
from api.views import VIEWS, field_docstrings
from api.webhooks.routes import WebhookEndpoints
from platforms.registry import platforms

CONTROLLERS = (
    PostEndpoints,
    BulkEndpoints,
    ImportEndpoints,
    MediaEndpoints,
    MultipartEndpoints,
    PlatformEndpoints,
    OutcomeEndpoints,
    CalendarEndpoints,
    CalendarViewEndpoints,
    CampaignEndpoints,
    SeriesEndpoints,
    PauseEndpoints,
    EventEndpoints,
    QueueEndpoints,
    WebhookEndpoints,
    AccountEndpoints,
    ConnectEndpoints,
    KeyEndpoints,
)
OPERATIONS = tuple(served for controller in CONTROLLERS for served in operations_served(controller))
"""Each after the name of its handler and the first line of its docstring."""


_TARGETS = ({"platform": "instagram", "accountId": "ig_123"}, {"platform": "twitter", "accountId": "tw_456"})
"""The targets of the contract's example."""


def error(status: int, sentence: str, code: str, param: str | None = None) -> Json:
    """Return an error's body as it is answered; the post's targets are those of the contract's example."""
    body: Json = {
        "error": sentence,
        "type": error_type(status, idempotency=code.startswith("idempotency")),
        "code": code,
    }
    if param:
        body["param"] = param
    problem: Json = {"error": sentence, "code": code, "param": param}
    if code == "external_id_taken":
        body["postId"] = problem["postId"] = sentence.partition(" ")[0]
    if param and param.startswith("rows."):
        problem["row"] = int(param.split(".")[1])
    if param and (param == "mediaItems" or param.startswith("platforms.")):
        problem |= _TARGETS[int(param.split(".")[1]) if "." in param else 0]
    return {**body, "errors": [problem]}


def _read() -> dict[str, tuple[int, Json]]:
    with Path(__file__).with_name("errors.csv").open(newline="", encoding="utf-8") as file:
        return {
            row["name"]: (
                int(row["status"]),
                error(int(row["status"]), row["sentence"], row["code"], row["param"] or None),
            )
            for row in csv.DictReader(file)
        }


ERRORS = _read()
"""By name: the status and body of each error, for the operations that can answer with it."""


PREFIX = "#/components/schemas/"
_NULL = {"type": "null"}
_BY_TYPE: dict[str, Any] = {"boolean": True, "integer": 1, "number": 1, "string": "text", "object": {}, "array": []}


def example(schema: Json, schemas: Json, *, is_body: bool = False) -> Any:
    """Return an example of a schema, whose references are the names of `schemas`.

    The example of a schema or of a field is taken as it stands. An object without one has its required fields; a body
    also has those with an example.
    """
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example(schemas[schema["$ref"].removeprefix(PREFIX)], schemas, is_body=is_body)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        # A response's field that may be null and has no example of its own is usually null.
        return None if _NULL in choices and not is_body else example(choices[0], schemas, is_body=is_body)
    if "properties" in schema:
        required = schema.get("required", ())
        return {
            name: example(field, schemas, is_body=is_body)
            for name, field in schema["properties"].items()
            if name in required or (is_body and "examples" in field)
        }
    if "items" in schema:
        return [example(schema["items"], schemas, is_body=is_body)]
    return _BY_TYPE[schema.get("type", "object")]


TARGET = "Target"
TARGET_UPDATE = "TargetUpdate"
EVENT = "WorkspaceEvent"
_BODIES: tuple[type[BaseModel], ...] = (
    *dict.fromkeys(operation.body for _, _, operation in OPERATIONS if operation.body),
    PostItemBody,
    PatchItemBody,
)
_CHANGES = (PatchBody, PatchItemBody)
_VIEWS = (*dict.fromkeys(operation.answer for _, _, operation in OPERATIONS), ErrorView)
_PLATFORM: Json = {"title": "Platform", "description": "A platform.", "type": "string", "enum": list(platforms())}


def schema_name(described: type[Any]) -> str:
    """Return the name of the schema of a body or an answer."""
    if not issubclass(described, BaseModel):
        return str(described.__pydantic_config__["title"])
    return described.model_config.get("title") or described.__name__.removesuffix("Body")


def ref(name: str) -> Json:
    """Return a reference to a schema."""
    return {"$ref": PREFIX + name}


@cache
def schemas() -> Json:
    """Return every schema by its name."""
    schemas_by_name = _answers_and_bodies() | {_PLATFORM["title"]: _PLATFORM}
    for body in (
        *(schema_name(model) for model in _BODIES),
        TARGET,
        "MediaItem",
        "FollowPost",
        "PostFilter",
        "RecurrenceRule",
        "PostOfSeries",
    ):
        schemas_by_name[body] = _without_nulls(schemas_by_name[body])
    target = schemas_by_name.pop(TARGET)
    choices: Json = {}
    for name, platform in platforms().items():
        prefix = platform.settings.__name__.removesuffix("Settings")
        schemas_by_name |= _settings(platform.settings, prefix, schemas_by_name)
        own = _platform_target(name, platform.label, target, ref(platform.settings.__name__))
        schemas_by_name[f"{prefix}Target"] = {**own, "title": f"{prefix}Target"}
        choices[name] = PREFIX + f"{prefix}Target"
    schemas_by_name[TARGET] = {
        "title": TARGET,
        "description": target["description"],
        "oneOf": [{"$ref": choice} for choice in choices.values()],
        "discriminator": {"propertyName": "platform", "mapping": choices},
    }
    schemas_by_name[TARGET_UPDATE] = {
        "title": TARGET_UPDATE,
        "description": f"{target['description']} A target of an answer can be sent back.",
        "anyOf": [*schemas_by_name[TARGET]["oneOf"], ref(schema_name(TargetView))],
    }
    schemas_by_name |= _events(schemas_by_name[EVENT])
    for change in _CHANGES:
        del schemas_by_name[schema_name(change)]["properties"]["externalId"]
        schemas_by_name[schema_name(change)]["properties"]["platforms"]["items"] = ref(TARGET_UPDATE)
    for schema in schemas_by_name.values():
        # pydantic's titles of fields are their names again, spelled worse.
        for field in schema.get("properties", {}).values():
            field.pop("title", None)
            if "description" in field:
                # Docstrings are wrapped.
                field["description"] = field["description"].replace("\n", " ")
    return dict(sorted(schemas_by_name.items()))


def _events(event: Json) -> Json:
    """Return the schema of each event, and of all: `event` says which form `data` has."""
    names = {kind: f"{kind.name.title().replace('_', '')}Event" for kind in EVENTS}
    return {
        name: {
            **event,
            "title": name,
            "description": f"{EVENTS[kind][0]}.",
            "properties": {
                **event["properties"],
                "event": {"type": "string", "enum": [kind.value], "description": "The kind of event."},
                "data": ref(schema_name(EVENTS[kind][1])),
            },
        }
        for kind, name in names.items()
    } | {
        EVENT: {
            "title": EVENT,
            "description": event["description"],
            "oneOf": [ref(name) for name in names.values()],
            "discriminator": {"propertyName": "event", "mapping": {kind.value: PREFIX + names[kind] for kind in names}},
        }
    }


def _answers_and_bodies() -> Json:
    _, definitions = TypeAdapter.json_schemas(
        [
            *((body, "validation", TypeAdapter(body)) for body in _BODIES),
            *((view, "serialization", TypeAdapter(view)) for view in _VIEWS),
        ],
        ref_template=PREFIX + "{model}",
    )
    definitions_by_model = definitions["$defs"]
    schemas = _renamed(definitions_by_model, {name: schema["title"] for name, schema in definitions_by_model.items()})
    for name in schemas.keys() & VIEWS:
        for field, docstring in field_docstrings(VIEWS[name]).items():
            schemas[name]["properties"][field].setdefault("description", docstring)
    return schemas


def _settings(settings: type[BaseModel], prefix: str, known: Json) -> Json:
    schema = settings.model_json_schema(ref_template=PREFIX + "{model}")
    parts = {settings.__name__: schema, **schema.pop("$defs", {})}
    # A schema that the API itself uses, such as the types of media, has one name everywhere.
    shared = {name for name, part in parts.items() if known.get(name) == part}
    names = {name: name if name in shared or name.startswith(prefix) else prefix + name for name in parts}
    return {name: _without_nulls(part) for name, part in _renamed(parts, names).items()}


def _renamed(definitions: Json, names: dict[str, str]) -> Json:
    if len(set(names.values())) != len(names):
        raise ValueError("two schemas have the same name")
    return {
        names[name]: {**_read_by_clients(schema, names), "title": names[name]} for name, schema in definitions.items()
    }


def _read_by_clients(schema: Any, names: dict[str, str]) -> Any:
    """Return a schema with new names in its references, with its defaults in words, and with one type of platforms.

    Generators of types take a field with a default for one that is always there, and each enum for another type.
    """
    if isinstance(schema, list):
        return [_read_by_clients(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = {**schema, "$ref": PREFIX + names[schema["$ref"].removeprefix(PREFIX)]}
    if schema.get("enum") == _PLATFORM["enum"]:
        return PLATFORM_REF | {name: schema[name] for name in ("description", "examples") if name in schema}
    if schema.get("default") is not None:
        description = f"{schema.get('description', '')} Default: {json.dumps(schema['default'])}.".strip()
        schema = {**schema, "description": description}
    return {key: _read_by_clients(value, names) for key, value in schema.items() if key != "default"}


def _platform_target(platform: str, label: str, target: Json, settings: Json) -> Json:
    """Return the schema of a platform's targets: that of any target, with the platform's name and settings."""
    own = deepcopy(target)
    own["description"] = f"An account of {label} that the post goes to."
    own["properties"]["platform"] = {
        "type": "string",
        "enum": [platform],
        "description": "The platform.",
        "examples": [platform],
    }
    own["properties"]["platformSpecificData"] = {**settings, "description": f"{label}'s own settings."}
    return own


def _without_nulls(schema: Json) -> Json:
    """Return the schema of a body, in which null is allowed only in fields where it has a meaning."""
    own = deepcopy(schema)
    for name, field in own.get("properties", {}).items():
        choices = [choice for choice in field.get("anyOf", ()) if choice != _NULL]
        if len(choices) == 1 and name not in NULLABLE | NULLABLE_OF_CAMPAIGNS:
            del field["anyOf"]
            field.update(choices[0])
    return own
