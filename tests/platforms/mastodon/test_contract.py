"""Every request to a Mastodon server must be one that the OpenAPI document of its API contains."""

import re
from typing import Any

import httpx
import jsonschema_rs
import pytest

from platforms.base import Draft, Published
from platforms.mastodon import PLATFORM
from platforms.mastodon.limits import _PLACES
from platforms.mastodon.media import status_body
from platforms.mastodon.rules import MastodonSettings
from tests.platforms.mastodon.test_confirm import prepared
from tests.platforms.rig import Connect, Rig, noting
from tests.platforms.specs import document, read_form, validate

DOCUMENT = "mastodon/openapi.json"

EVERYTHING = {
    "visibility": "unlisted",
    "spoilerText": "careful",
    "sensitive": True,
    "language": "en",
    "quoteApprovalPolicy": "followers",
    "inReplyToId": "103254962155278888",
    "quotedStatusId": "103254962155278889",
}
POLL = {"poll": {"options": ["Yes", "No"], "expiresIn": 3600, "multiple": True, "hideTotals": True}}


def schema_fields(name: str) -> dict[str, Any]:
    """Return the properties of a schema and of all schemas that it is composed of."""
    schema = document(DOCUMENT)["components"]["schemas"][name]
    fields: dict[str, Any] = {}
    for part in schema.get("allOf", [schema]):
        fields |= schema_fields(part["$ref"].rpartition("/")[2]) if "$ref" in part else part["properties"]
    return fields


def check(name: str, body: dict[str, Any]) -> None:
    """Check a body against a schema, and reject fields that it does not name, which the schema itself permits."""
    validate(DOCUMENT, name, body)
    known = schema_fields(name)
    assert body.keys() <= known.keys()
    if "poll" in body:
        assert body["poll"].keys() <= known["poll"]["properties"].keys()


@pytest.mark.parametrize(
    ("name", "uploads", "settings"),
    [
        ("TextStatus", [], {}),
        ("TextStatus", [], EVERYTHING),
        ("MediaStatus", ["1", "2"], EVERYTHING),
        ("PollStatus", [], {**EVERYTHING, **POLL}),
    ],
)
def test_every_body_is_one_that_the_document_knows(name: str, uploads: list[str], settings: dict[str, Any]) -> None:
    check(name, status_body(Draft("text", (), MastodonSettings.model_validate(settings)), uploads))


def test_a_misspelt_field_would_be_seen() -> None:
    with pytest.raises(AssertionError):
        check("TextStatus", {"status": "a", "spoilerText": "b"})
    with pytest.raises(jsonschema_rs.ValidationError):
        check("TextStatus", {"status": 1})


def operation(request: httpx.Request) -> dict[str, Any]:
    path = re.sub(r"(?<=/)\d+(?=/|$)", "{id}", request.url.path.removeprefix("/mastodon"))
    entry: dict[str, Any] = document(DOCUMENT)["paths"][path][request.method.lower()]
    return entry


async def test_every_request_is_to_a_path_and_with_a_query_that_the_document_knows(connect: Connect) -> None:
    rig: Rig = await connect("mastodon")
    async with noting() as (client, requests):
        await PLATFORM.whoami(rig.connection(client))
        context = await prepared(rig, "Hi", ["a.jpg"])
        context.handles.clear()
        await PLATFORM.prepare(rig.connection(client), context)
        context.handles["media"]["0"]["ready"] = False
        await PLATFORM.prepare(rig.connection(client), context)
        await PLATFORM.publish(rig.connection(client), context)
        assert isinstance(await PLATFORM.confirm(rig.connection(client), context), Published)
    used = {(request.method, re.sub(r"/\d.*", "", request.url.path.partition("/api/")[2])) for request in requests}
    assert {("POST", "v2/media"), ("POST", "v1/statuses"), ("GET", "v1/media"), ("GET", "v1/accounts")} <= used
    for request in requests:
        described = operation(request)
        known = {parameter["name"] for parameter in described.get("parameters", [])}
        # `lang` chooses the language of errors at every path (github.com/mastodon/mastodon, concerns/localized.rb).
        assert set(request.url.params) <= known | {"lang"}
        if request.url.path.endswith("/statuses") and request.method == "POST":
            assert "Idempotency-Key" in known
            assert request.headers["idempotency-key"]
            assert request.headers["content-type"] in described["requestBody"]["content"]
        if request.url.path.endswith("/media"):
            form = described["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
            assert read_form(request).keys() <= form.keys()


def test_the_limits_that_are_read_exist() -> None:
    groups = document(DOCUMENT)["components"]["schemas"]["Instance"]["properties"]["configuration"]["properties"]
    for group, key in _PLACES.values():
        assert key in groups[group]["properties"]
    assert "supported_mime_types" in groups["media_attachments"]["properties"]


def test_the_fields_that_are_read_exist() -> None:
    known = schema_fields("Status")
    assert {"id", "url", "uri", "content", "created_at", "media_attachments"} <= known.keys()
    assert {"in_reply_to_id", "quote"} <= known.keys()
