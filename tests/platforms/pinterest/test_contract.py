"""Every body sent to Pinterest must be one that Pinterest's own OpenAPI document allows, to a path that it contains."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs
import pytest
from pydantic import SecretStr

from tests.platforms.post_steps import every_step
from tests.platforms.rig import Connect, noting
from tests.platforms.specs import document, validate

DOCUMENT = "pinterest/openapi.json"

BODIES = {
    "/pins": "PinCreate",
    "/media": "MediaUploadCreate",
    "/oauth/token": "OauthAccessTokenRequestRefresh",
}
COVER = "https://cdn.example.com/cover.jpg"


def schema(name: str) -> dict[str, Any]:
    entry: dict[str, Any] = document(DOCUMENT)["components"]["schemas"][name]
    return entry


def check(name: str, body: object) -> None:
    validate(DOCUMENT, name, body)
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
    entries = document(DOCUMENT)["paths"][path][method].get("parameters", [])
    resolved = [
        document(DOCUMENT)["components"]["parameters"][item["$ref"].rpartition("/")[2]] if "$ref" in item else item
        for item in entries
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
    items = [pi.sandbox.media(name, "shown") for name in names]
    async with noting() as (client, requests):
        await every_step(pi, pi.context("Text", items, settings={"boardId": "123", **settings}), client)

    sent = [request for request in requests if "/storage/" not in request.url.path]
    for request in sent:
        path, method = template(request.url.path), request.method.lower()
        assert method in document(DOCUMENT)["paths"][path]
        assert set(request.url.params) <= parameters(path, method)
        if method == "post":
            kind = request.headers["content-type"]
            form = dict(parse_qsl(request.content.decode()))
            check(BODIES[path], json.loads(request.content) if kind == "application/json" else form)
            assert kind in document(DOCUMENT)["paths"][path]["post"]["requestBody"]["content"]
    known = {"/user_account", "/oauth/token", "/boards/{board_id}/pins"}
    assert {template(request.url.path) for request in sent} == used | known


def test_a_misspelt_field_would_be_seen() -> None:
    source = {"source_type": "image_url", "url": "https://e.com/a.jpg"}
    check("PinCreate", {"board_id": "1", "media_source": source})
    for wrong in ({"boardId": "1"}, {"media_source": {**source, "alt": "a"}}):
        with pytest.raises(AssertionError):
            check("PinCreate", {"media_source": source, **wrong})
    with pytest.raises(jsonschema_rs.ValidationError):
        check("PinCreate", {"board_id": "my board", "media_source": source})


def test_the_fields_that_are_read_exist() -> None:
    assert {"id", "title", "description", "link", "created_at"} <= schema("Pin")["properties"].keys()
    assert {"media_id", "upload_url", "upload_parameters"} <= schema("MediaUpload")["properties"].keys()
    assert {"registered", "processing", "succeeded", "failed"} == set(schema("MediaUploadStatus")["enum"])
    assert {"id", "username"} <= schema("Account")["properties"].keys()
