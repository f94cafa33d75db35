"""Every body sent to Pinterest must be one that Pinterest's own OpenAPI document allows, to a path that it contains."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import httpx
import jsonschema_rs
import pytest
from pydantic import SecretStr

from platforms.pinterest import PLATFORM
from tests.platforms.rig import Connect
from tests.platforms.specs import SPECS

DOCUMENT = SPECS / "pinterest" / "pinterest-v5-openapi.json"

pytestmark = pytest.mark.skipif(not DOCUMENT.is_file(), reason=f"Pinterest's OpenAPI document is not at {DOCUMENT}")

BODIES = {
    "/pins": "PinCreate",
    "/media": "MediaUploadCreate",
    "/oauth/token": "OauthAccessTokenRequestRefresh",
}
COVER = "https://cdn.example.com/cover.jpg"


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return loaded


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return found


def validate(name: str, body: object) -> None:
    jsonschema_rs.Draft4Validator(
        {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    ).validate(body)
    assert list(unknown(name, body)) == []


def unknown(name: str, body: object) -> Iterator[str]:
    """Yield the fields that a schema does not name: the document itself permits unknown fields."""
    parts = [schema(name), *schema(name).get("allOf", [])]
    known = {field: inner for part in parts for field, inner in part.get("properties", {}).items()}
    assert isinstance(body, dict)
    for field, value in body.items():
        if field not in known:
            yield f"{name}.{field}"
        elif field == "media_source":
            source = schema("PinMediaSource")["discriminator"]["mapping"][value["source_type"]].rpartition("/")[2]
            yield from unknown(source, value)
        elif field == "items":
            for item in value:
                yield from unknown("PinMediaSourceImagesURLItem", item)


def template(path: str) -> str:
    path = path.removeprefix("/pinterest/v5")
    if path.startswith("/boards/"):
        return "/boards/{board_id}/pins"
    return "/media/{media_id}" if path.startswith("/media/") else path


def parameters(path: str, method: str) -> set[str]:
    found = document()["paths"][path][method].get("parameters", [])
    resolved = [
        document()["components"]["parameters"][item["$ref"].rpartition("/")[2]] if "$ref" in item else item
        for item in found
    ]
    return {item["name"] for item in resolved if item["in"] == "query"}


@pytest.mark.parametrize(
    ("names", "settings", "used"),
    [
        (["a.jpg"], {"title": "T", "link": "https://e.com", "boardSectionId": "7"}, {"/pins"}),
        (["a.jpg", "b.png"], {}, {"/pins"}),
        (["a.mp4"], {"coverImageUrl": COVER}, {"/pins", "/media", "/media/{media_id}"}),
        (["a.mp4"], {"coverImageKeyFrameTime": 2}, {"/pins", "/media", "/media/{media_id}"}),
        (["b.mp4"], {}, {"/pins", "/media", "/media/{media_id}"}),
    ],
)
async def test_every_request_is_one_that_pinterest_knows(
    connect: Connect, names: list[str], settings: dict[str, Any], used: set[str]
) -> None:
    pi = await connect("pinterest", credentials={"refreshToken": f"c-{names}{settings}", "clientId": "app"})
    pi.stored = pi.stored.model_copy(update={"access_token": SecretStr("of yesterday")})
    sent: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        if "/storage/" not in request.url.path:
            await request.aread()
            sent.append(request)

    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        connection = pi.connection(client)
        items = [pi.sandbox.media(name, "shown") for name in names]
        context = pi.context("Text", items, settings={"boardId": "123", **settings})
        await PLATFORM.whoami(connection)
        await PLATFORM.prepare(connection, context)
        await PLATFORM.publish(connection, context)
        context.started_at = datetime.now(UTC)
        await PLATFORM.confirm(connection, context)

    for request in sent:
        path, method = template(request.url.path), request.method.lower()
        assert method in document()["paths"][path]
        assert set(request.url.params) <= parameters(path, method)
        if method == "post":
            kind = request.headers["content-type"]
            form = dict(parse_qsl(request.content.decode()))
            validate(BODIES[path], json.loads(request.content) if kind == "application/json" else form)
            assert kind in document()["paths"][path]["post"]["requestBody"]["content"]
    known = {"/user_account", "/oauth/token", "/boards/{board_id}/pins"}
    assert {template(request.url.path) for request in sent} == used | known


def test_a_misspelt_field_would_be_seen() -> None:
    source = {"source_type": "image_url", "url": "https://e.com/a.jpg"}
    validate("PinCreate", {"board_id": "1", "media_source": source})
    for wrong in ({"boardId": "1"}, {"media_source": {**source, "alt": "a"}}):
        with pytest.raises(AssertionError):
            validate("PinCreate", {"media_source": source, **wrong})
    with pytest.raises(jsonschema_rs.ValidationError):
        validate("PinCreate", {"board_id": "my board", "media_source": source})


def test_the_fields_that_are_read_exist() -> None:
    assert {"id", "title", "description", "link", "created_at"} <= schema("Pin")["properties"].keys()
    assert {"media_id", "upload_url", "upload_parameters"} <= schema("MediaUpload")["properties"].keys()
    assert {"registered", "processing", "succeeded", "failed"} == set(schema("MediaUploadStatus")["enum"])
    assert {"id", "username"} <= schema("Account")["properties"].keys()
