"""Every request to YouTube must be one that its own discovery document describes."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from platforms.base import Published
from platforms.youtube import PLATFORM
from platforms.youtube.connection import BASE_URL
from tests.platforms.rig import Connect
from tests.platforms.specs import SPECS

DOCUMENT = SPECS / "google" / "youtube.v3.json"

pytestmark = pytest.mark.skipif(
    not DOCUMENT.is_file(), reason=f"YouTube's discovery document is not shipped and is not at {DOCUMENT}"
)

ANYWHERE = {"uploadType"}
"""Parameters of uploads, which the document describes once for all methods."""
EVERYTHING = {
    "title": "Waves",
    "visibility": "unlisted",
    "tags": ["sea"],
    "categoryId": "19",
    "containsSyntheticMedia": True,
    "playlistId": "PL1",
    "firstComment": "first",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(json.loads(DOCUMENT.read_text()))


def described(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Return the method behind a path; uploads have paths of their own."""
    for resource in document["resources"].values():
        for each in resource.get("methods", {}).values():
            paths = {f"/{each['path']}"}
            if "mediaUpload" in each:
                paths |= {protocol["path"] for protocol in each["mediaUpload"]["protocols"].values()}
            if each["httpMethod"] == method and path in paths:
                return dict(each)
    raise AssertionError(f"{method} {path} is not described")


def check(document: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> None:
    """Check a value against a schema of the document: its names, its types, its enums."""
    if "$ref" in schema:
        schema = document["schemas"][schema["$ref"]]
    match schema["type"]:
        case "object":
            assert isinstance(value, dict), where
            for name, inner in value.items():
                assert name in schema["properties"], f"{where}.{name}"
                check(document, schema["properties"][name], inner, f"{where}.{name}")
        case "array":
            assert isinstance(value, list), where
            for inner in value:
                check(document, schema["items"], inner, where)
        case kind:
            assert isinstance(value, {"string": str, "boolean": bool, "integer": int}[kind]), where
            assert value in schema.get("enum", [value]), where


async def test_every_request_is_described(connect: Connect, document: dict[str, Any]) -> None:
    rig = await connect("youtube")
    sent: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        await request.aread()
        sent.append(request)

    settings = {**EVERYTHING, "thumbnail": f"{rig.sandbox.url}/_/media/cover.jpg"}
    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        connection = rig.connection(client)
        await PLATFORM.whoami(connection)
        media = [rig.sandbox.media("a.mp4")]
        context = rig.context("Hi", media, settings=settings, started_at=datetime.now(UTC))
        await PLATFORM.prepare(connection, context)
        published = await PLATFORM.publish(connection, context)
        await PLATFORM.complete(connection, context, published)
        context.handles.pop("video")
        context.handles["session"]["url"] = context.handles["session"]["url"].replace("upload_id=", "upload_id=gone")
        assert isinstance(await PLATFORM.confirm(connection, context), Published)

    seen = set()
    for request in sent:
        path = request.url.path.removeprefix("/youtube")
        if request.method == "PUT":
            # Requests to an upload session's address are described only by the protocol of resumable uploads.
            continue
        method = described(document, request.method, path)
        seen.add(method["id"])
        parameters = dict(request.url.params)
        assert parameters.keys() - ANYWHERE <= method["parameters"].keys(), method["id"]
        assert {name for name, about in method["parameters"].items() if about.get("required")} <= parameters.keys()
        if "json" in request.headers.get("content-type", ""):
            check(document, method["request"], json.loads(request.content), method["id"])
    assert seen == {
        "youtube.channels.list",
        "youtube.videos.insert",
        "youtube.videos.list",
        "youtube.thumbnails.set",
        "youtube.playlistItems.insert",
        "youtube.playlistItems.list",
        "youtube.commentThreads.insert",
    }


def test_the_address_is_the_documents(document: dict[str, Any]) -> None:
    assert document["rootUrl"] == f"{BASE_URL}/"
    insert = document["resources"]["videos"]["methods"]["insert"]
    [rule] = PLATFORM.rules.files
    assert rule.max_bytes == int(insert["mediaUpload"]["maxSize"])
