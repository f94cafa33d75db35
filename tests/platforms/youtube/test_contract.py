"""Every request to YouTube must be one that its own discovery document describes."""

import json
from typing import Any

import pytest

from platforms.base import Published
from platforms.youtube import PLATFORM
from platforms.youtube.access import BASE_URL
from tests.platforms.post_steps import every_step
from tests.platforms.rig import Connect, noting
from tests.platforms.specs import document as read

DOCUMENT = "google/youtube.v3.json"

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
    return dict(read(DOCUMENT))


def described(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Return the method behind a path; uploads have paths of their own."""
    for resource in document["resources"].values():
        for entry in resource.get("methods", {}).values():
            paths = {f"/{entry['path']}"}
            if "mediaUpload" in entry:
                paths |= {protocol["path"] for protocol in entry["mediaUpload"]["protocols"].values()}
            if entry["httpMethod"] == method and path in paths:
                return dict(entry)
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
    captions = [{"language": "en", "name": "English", "url": f"{rig.sandbox.url}/_/media/waves.vtt"}]
    settings = {**EVERYTHING, "thumbnail": f"{rig.sandbox.url}/_/media/cover.jpg", "captions": captions}
    context = rig.context("Hi", [rig.sandbox.media("a.mp4")], settings=settings)
    async with noting() as (client, sent):
        await every_step(rig, context, client)
        context.handles.pop("video")
        context.handles["session"]["url"] = context.handles["session"]["url"].replace("upload_id=", "upload_id=gone")
        assert isinstance(await PLATFORM.confirm(rig.connection(client), context), Published)

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
        if request.headers.get("content-type", "").startswith("multipart/related"):
            description = request.content.split(b"\r\n\r\n")[1].partition(b"\r\n--")[0]
            check(document, method["request"], json.loads(description), method["id"])
    assert seen == {
        "youtube.channels.list",
        "youtube.videos.insert",
        "youtube.videos.list",
        "youtube.thumbnails.set",
        "youtube.captions.insert",
        "youtube.playlistItems.insert",
        "youtube.playlistItems.list",
        "youtube.commentThreads.insert",
    }


def test_the_address_is_the_documents(document: dict[str, Any]) -> None:
    assert document["rootUrl"] == f"{BASE_URL}/"
    insert = document["resources"]["videos"]["methods"]["insert"]
    [rule] = PLATFORM.rules.files
    assert rule.max_bytes == int(insert["mediaUpload"]["maxSize"])
    captions = document["resources"]["captions"]["methods"]["insert"]
    assert PLATFORM.covers["captions"].max_bytes == int(captions["mediaUpload"]["maxSize"])
