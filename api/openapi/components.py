"""The schemas of the API's document: named in the API's own words, and such that generators can read them.

A settings model of a platform bears its platform's name, so two platforms may both have a `Poll`.
"""

import json
from copy import deepcopy
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter

from api.bulk.bodies import PatchItemBody, PostItemBody
from api.campaigns.schemas import NULLABLE as NULLABLE_OF_CAMPAIGNS
from api.errors import ErrorView
from api.events.schemas import EVENTS
from api.http.operation import Json
from api.http.parameters import PLATFORM_REF
from api.openapi.examples import PREFIX
from api.openapi.operations import OPERATIONS
from api.posts.answers.views import TargetView
from api.posts.bodies.parse_patch import NULLABLE
from api.posts.bodies.schemas import PatchBody
from platforms.registry import platforms

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
_NULL = {"type": "null"}
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
    return _renamed(definitions_by_model, {name: schema["title"] for name, schema in definitions_by_model.items()})


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
