"""Write this API's OpenAPI 3.1 document. Bodies are read by us and not by Litestar, so it is ours to write too."""

import re
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from api.auth import required_scope
from api.errors import ErrorView
from api.events.schemas import EVENTS
from api.http.headers import HEADER_NAMES
from api.http.operation import Json, Operation
from api.http.parameters import PATH_PARAMETERS
from api.openapi.components import ERRORS, OPERATIONS, example, ref, schema_name, schemas
from domain.webhooks import EventType

_REQUEST_ID = {
    "description": "Names this request in the logs: the caller's X-Request-Id, if it sent one of 1 to 128 characters.",
    "schema": {"type": "string"},
    "example": "019bc10f27c07a7d4e9a54c1d9e3f0a1",
}
_HEADERS: dict[str, Json] = {
    "X-Request-Id": _REQUEST_ID,
    "Idempotent-Replayed": {
        "description": "`true` if this is the answer to an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
        "example": "true",
    },
    "Preference-Applied": {
        "description": "The `wait` that was applied.",
        "schema": {"type": "string"},
        "example": "wait=10",
    },
    "ETag": {
        "description": "Names this content. Send it back as If-None-Match: 304 says that nothing has changed.",
        "schema": {"type": "string"},
        "example": '"5f2b7c1d9e3a4068b1c2d3e4f5061728"',
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer"},
        "example": 5,
    },
    "RateLimit-Policy": {
        "description": "The limits of requests of the key and of posts of the workspace: `q` in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"requests";q=600;w=60, "posts";q=6000;w=60',
    },
    "RateLimit": {
        "description": "How many are left (`r`), and the seconds until all are (`t`).",
        "schema": {"type": "string"},
        "example": '"requests";r=598;t=1',
    },
    "X-RateLimit-Limit": {
        "description": "Requests of the key in a minute; with 429 those of the limit that is used up.",
        "schema": {"type": "integer"},
        "example": 600,
    },
    "X-RateLimit-Remaining": {
        "description": "How many of them are left.",
        "schema": {"type": "integer"},
        "example": 598,
    },
    "X-RateLimit-Reset": {
        "description": "The Unix time at which all are, if nothing is used meanwhile.",
        "schema": {"type": "integer"},
        "example": 1795690001,
    },
    "WWW-Authenticate": {
        "description": "Bearer; with 403 also the scope that the key lacks.",
        "schema": {"type": "string"},
        "example": "Bearer",
    },
}
_ANSWERED_BY = {"Idempotency-Key": "Idempotent-Replayed", "Prefer": "Preference-Applied"}
"""Headers of requests, and the headers with which answers say that they took effect."""
_TAGS = {"me": "Keys", "api-keys": "Keys"}
"""The tags of operations whose paths have another word."""
_ALWAYS = ("missingKey", "wrongKey", "noScheme", "rateLimited", "internal", "unavailable")
"""The errors of all operations."""
_ERROR_HEADERS = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    429: ("Retry-After", "RateLimit"),
    503: ("Retry-After",),
}
_ABOUT = """Publish social posts to every platform, now or at a set time, never twice.

Send your API key as `Authorization: Bearer sk_…`. Bodies are JSON (UTF-8, at most 1 MiB), but for files; unknown
fields are refused.
Every error has one shape; `errors` lists everything that is wrong. Times are UTC in answers.

Every answer to a request with a valid key tells its limits (`RateLimit`, `X-RateLimit-…`), unless there are none.

In the examples `ig_123` and `tw_456` stand for connected accounts of yours."""


def servers(url: str) -> list[Json]:
    """Return where a document says that the API is."""
    return [{"url": url, "description": "The API that this document was read from."}]


@cache
def document() -> Json:
    """Return the document; only the address that it is served at is not yet known."""
    paths: dict[str, Json] = {}
    for name, summary, operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = {
            "operationId": to_camel(name),
            "summary": summary.removesuffix("."),
            **_operation(operation),
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "SocialSyncer", "version": version("socialsyncer"), "description": _ABOUT},
        "servers": servers("http://127.0.0.1:8000"),
        "security": [{"apiKey": []}],
        "tags": [
            {"name": "Posts", "description": "Create, schedule, publish and follow posts."},
            {"name": "Media", "description": "Upload the files of posts, list and delete them."},
            {"name": "Calendar", "description": "See the posts of each day."},
            {"name": "Campaigns", "description": "Plan, watch, change and end many posts together."},
            {"name": "Imports", "description": "Create up to 10,000 posts at once, from a file or a list."},
            {"name": "Series", "description": "Posts that recur by a rule."},
            {"name": "Pauses", "description": "Stop posts from being sent, and let them continue."},
            {"name": "Events", "description": "Follow what happens to posts and accounts."},
            {"name": "Webhooks", "description": "Have events sent to an address of yours."},
            {"name": "Accounts", "description": "List, check and remove connected accounts."},
            {"name": "Connect", "description": "Connect accounts."},
            {"name": "Platforms", "description": "Read the rules of the platforms."},
            {"name": "Keys", "description": "See what a key may do; create, replace and revoke keys."},
            {"name": "Health", "description": "Monitor this service."},
        ],
        "paths": {**paths, **_health()},
        "webhooks": {event.value: _webhook(event) for event in EventType},
        "components": {
            "schemas": schemas(),
            "headers": _HEADERS,
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of your workspace; it begins with `sk_`. Operations name its scope.",
                }
            },
        },
    }


def _webhook(event: EventType) -> Json:
    """Return the request that delivers an event to a client's endpoint."""
    summary, data = EVENTS[event]
    properties = {
        "id": {"type": "string", "description": "The event's id, the same for every attempt."},
        "event": {"type": "string", "const": event.value},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": ref(schema_name(data)),
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    names = ("webhook-id", "webhook-timestamp", "webhook-signature", "X-SocialSyncerAPI-Signature")
    headers = [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
        for name in (*names, "X-SocialSyncerAPI-Delivery", "X-SocialSyncerAPI-Attempt")
    ]
    return {
        "post": {
            "summary": summary,
            "description": "Verify the signature, answer 2xx within 15 seconds, and ignore an `id` that you know.",
            "tags": ["Webhooks"],
            "parameters": headers,
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {"2XX": {"description": "It is delivered; any other answer is a failure."}},
        }
    }


def _operation(operation: Operation) -> Json:
    scope = required_scope(operation.route)
    described: Json = {
        "description": operation.description,
        "security": [{"apiKey": [str(scope)] if scope else []}],
        "tags": [_TAGS.get(name := operation.path.split("/")[2], name.title())],
        "parameters": [
            *(PATH_PARAMETERS[name] for name in re.findall(r"\{(\w+)\}", operation.path)),
            *operation.parameters,
        ],
        "responses": {
            **{
                str(status): {
                    "description": HTTPStatus(status).phrase,
                    "headers": _header_refs(("X-Request-Id", *HEADER_NAMES, *_answer_headers(operation))),
                    "content": _content(operation.answer),
                }
                for status in (operation.status, operation.other_status)
                if status
            },
            **_unchanged(operation),
            **_error_responses((*operation.all_errors, *_ALWAYS, *(("insufficientScope",) if scope else ()))),
        },
    }
    if operation.files:
        content = {kind: {"schema": schema} for kind, schema in operation.files.items()}
        described["requestBody"] = {"required": True, "content": content}
    if operation.body:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {
                **_content(operation.body),
                **{
                    kind: {"schema": {"type": "string", "format": "binary"}, "examples": {"text": {"value": text}}}
                    for kind, text in operation.texts.items()
                },
            },
        }
    return described


def _answer_headers(operation: Operation) -> list[str]:
    applied = [answer for header, answer in _ANSWERED_BY.items() if header in operation.headers]
    return [*applied, "ETag"] if operation.has_tag else applied


def _unchanged(operation: Operation) -> dict[str, Json]:
    """Return the answer to a caller that has the content already, if the operation has it."""
    if not operation.has_tag:
        return {}
    return {"304": {"description": HTTPStatus(304).phrase, "headers": _header_refs(("X-Request-Id", "ETag"))}}


def _content(described: type[Any], examples: dict[str, Json] | None = None) -> Json:
    """Return what a body or a response is; without `examples` with those of its schema."""
    schema, all_schemas = ref(schema_name(described)), schemas()
    if examples is None:
        is_body = issubclass(described, BaseModel)
        several = all_schemas[schema_name(described)].get("examples")
        values = several or [example(schema, all_schemas, is_body=is_body)]
        examples = {f"example{number or ''}": value for number, value in enumerate(values)}
    return {
        "application/json": {"schema": schema, "examples": {name: {"value": value} for name, value in examples.items()}}
    }


def _header_refs(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _error_responses(names: Iterable[str]) -> Json:
    by_status: dict[int, dict[str, Json]] = {}
    for name in names:
        status, body = ERRORS[name]
        by_status.setdefault(status, {})[name] = body
    return {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "headers": _header_refs(("X-Request-Id", *_ERROR_HEADERS.get(status, ()))),
            "content": _content(ErrorView, examples),
        }
        for status, examples in sorted(by_status.items())
    }


def _health() -> Json:
    alive = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    parts = {
        "type": "object",
        "properties": {
            "latePosts": {"type": "integer", "description": "Posts that are due for a minute and have not begun."},
            "refusedApps": {
                "type": "integer",
                "description": "Apps that wait for the operator: approval, a product or credits are missing.",
            },
            "version": {"type": "string", "description": "The version of the code that answers."},
            "schema": {"type": "string", "description": "The revision of the database's schema."},
        },
        "additionalProperties": {"type": "boolean"},
    }

    def answer(description: str, schema: Json, example: Json) -> Json:
        return {
            "description": description,
            "headers": _header_refs(["X-Request-Id"]),
            "content": {"application/json": {"schema": schema, "examples": {"answer": {"value": example}}}},
        }

    def described(name: str, summary: str, responses: dict[str, Any], **more: Any) -> Json:
        operation = {"operationId": name, "summary": summary, "tags": ["Health"], "security": [], **more}
        return {"get": {**operation, "responses": responses}}

    ready: Json = {
        "database": True,
        "temporal": True,
        "worker": True,
        "sweep": True,
        "planner": True,
        "latePosts": 0,
        "refusedApps": 0,
        "storage": True,
    }
    ready |= {"version": version("socialsyncer"), "schema": "0001"}
    away = {**ready, "worker": False, "publish-mastodon": False, "latePosts": 3}
    return {
        "/healthz": described(
            "healthz", "Check whether the process runs", {"200": answer("It runs", alive, {"status": "ok"})}
        ),
        "/readyz": described(
            "readyz",
            "Check whether this process takes requests",
            {
                "200": answer("It takes requests, although other parts may be unavailable", parts, away),
                "503": answer("The database is unavailable, or the process ends", parts, {**ready, "draining": True}),
            },
        ),
        "/statusz": described(
            "statusz",
            "Check whether every part of the service is available",
            {
                "200": answer("Every part by name", parts, ready),
                **_error_responses(["wrongStrict"]),
                "503": answer("A part is unavailable, and `strict` is true", parts, away),
            },
            parameters=[
                {
                    "name": "strict",
                    "in": "query",
                    "description": "Answer 503 unless every part is available.",
                    "schema": {"type": "boolean", "default": False},
                }
            ],
        ),
    }
