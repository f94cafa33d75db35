"""Every name sent to Facebook must be one that Meta's own machine-readable description of the edge contains."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from platforms.base import Published
from platforms.facebook import PLATFORM, videos
from platforms.facebook.lookup import POST_FIELDS
from sandbox.wire import Request
from tests.platforms.facebook.test_platform import FORMS
from tests.platforms.rig import Connect, Rig
from tests.platforms.specs import SPECS

DOCUMENTS = SPECS / "meta"

pytestmark = pytest.mark.skipif(
    not DOCUMENTS.is_dir(), reason=f"Meta's description of its edges may not be shipped and is not at {DOCUMENTS}"
)

EVERYWHERE = {"fields", "limit"}
"""Paging and field selection belong to the whole Graph API and are not described for any edge."""
BYTES = {"source"}
"""The bytes of a photo; the description names them for videos only, Meta's reference of the edge for photos too."""


def described(node: str, method: str, edge: str) -> set[str]:
    apis: list[dict[str, Any]] = json.loads((DOCUMENTS / f"{node}.json").read_text())["apis"]
    [api] = [api for api in apis if api["method"] == method and api.get("endpoint") == edge]
    return {param["name"] for param in api["params"]}


def values_of(node: str, method: str, edge: str, name: str) -> set[str]:
    apis: list[dict[str, Any]] = json.loads((DOCUMENTS / f"{node}.json").read_text())["apis"]
    [api] = [api for api in apis if api["method"] == method and api.get("endpoint") == edge]
    [kind] = [param["type"] for param in api["params"] if param["name"] == name]
    enums = {enum["name"]: enum["values"] for enum in json.loads((DOCUMENTS / "enum_types.json").read_text())}
    return {value.lower() for value in enums[kind]}


async def sent(rig: Rig, names: list[str], settings: dict[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    """Publish, complete and confirm; return method, edge and named values of every request to the Graph API."""
    noted: list[tuple[str, str, dict[str, str]]] = []

    async def note(request: httpx.Request) -> None:
        if "/video-upload/" in request.url.path:
            return
        content = await request.aread()
        edge = request.url.path.removeprefix("/facebook/v25.0/").partition("/")[2]
        headers = [(key.lower(), value) for key, value in request.headers.raw]
        form = Request(request.method, "/", b"", headers, content).form()
        values = {name: str(value) for name, value in form.items()}
        noted.append(
            (request.method, edge, values | {k: v[-1] for k, v in parse_qs(request.url.query.decode()).items()})
        )

    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        connection = rig.connection(client)
        media = [rig.sandbox.media(name, "what it shows") for name in names]
        context = rig.context("Hi", media, settings=settings, started_at=datetime.now(UTC))
        if media:
            await PLATFORM.prepare(connection, context)
        published = await PLATFORM.publish(connection, context)
        await PLATFORM.complete(connection, context, published)
        if not settings.get("draft"):
            assert isinstance(await PLATFORM.confirm(connection, context), Published)
    return noted


@pytest.mark.parametrize(
    ("names", "settings"),
    [
        *FORMS,
        ([], {"link": "https://example.com/a", "firstComment": "first"}),
        ([], {"draft": True}),
        (["a.mp4"], {"draft": True, "title": "Waves"}),
        (["a.mp4"], {"contentType": "reel", "title": "Waves", "firstComment": "first"}),
        (["a.mp4"], {"contentType": "reel", "draft": True}),
    ],
)
async def test_every_request_uses_names_and_values_that_its_edge_knows(
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    settings: dict[str, Any],
) -> None:
    monkeypatch.setattr(videos, "CHECK_PAUSES", (0,))
    for method, edge, values in await sent(await connect("facebook"), names, settings):
        known = {name.partition("[")[0] for name in values} - EVERYWHERE
        if edge == "":
            assert (method, known) == ("GET", set())
            continue
        node = "PagePost" if edge == "comments" else "Page"
        assert known - (BYTES if edge == "photos" else set()) <= described(node, method, edge), edge
        for name in ("upload_phase", "video_state", "unpublished_content_type"):
            if name in values:
                assert values[name].lower() in values_of(node, method, edge, name)


def test_the_fields_that_are_read_exist() -> None:
    fields = {field["name"] for field in json.loads((DOCUMENTS / "PagePost.json").read_text())["fields"]}
    # Attachments are an edge of a post, read as a field.
    assert set(POST_FIELDS.split(",")) - {"attachments"} <= fields
    video = {field["name"] for field in json.loads((DOCUMENTS / "AdVideo.json").read_text())["fields"]}
    assert {"status", "published", "permalink_url", "post_id"} <= video
    page = {field["name"] for field in json.loads((DOCUMENTS / "Page.json").read_text())["fields"]}
    assert {"id", "name", "username", "category"} <= page
