"""Every name sent to Facebook must be one that Meta's own machine-readable description of the edge contains."""

from typing import Any

import httpx
import pytest

from platforms.base import Published
from platforms.facebook import PLATFORM, videos
from platforms.facebook.videos import POST_FIELDS
from tests.platforms.facebook.test_platform import FORMS
from tests.platforms.post_steps import publish
from tests.platforms.rig import Connect, Rig, noting
from tests.platforms.specs import document, edge_parameters, needs, node_fields, read_form

pytestmark = needs("meta")

EVERYWHERE = {"fields", "limit"}
"""Paging and field selection belong to the whole Graph API and are not described for any edge."""
BYTES = {"source"}
"""The bytes of a photo; the description names them for videos only, Meta's reference of the edge for photos too."""


def enum_values(kind: str) -> set[str]:
    enums = {enum["name"]: enum["values"] for enum in document("meta/enum_types.json")}
    return {value.lower() for value in enums[kind]}


async def sent(rig: Rig, names: list[str], settings: dict[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    """Publish, complete and confirm; return method, edge and named values of every request to the Graph API."""
    if captions := settings.get("captions"):
        settings = {"captions": [{**caption, "url": rig.sandbox.url + caption["url"]} for caption in captions]}
    context = rig.context("Hi", [rig.sandbox.media(name, "what it shows") for name in names], settings=settings)
    async with noting() as (client, requests):
        await publish(rig, context, client)
        if not settings.get("draft"):
            assert isinstance(await PLATFORM.confirm(rig.connection(client), context), Published)
    return [
        (request.method, request.url.path.removeprefix("/facebook/v25.0/").partition("/")[2], values_in(request))
        for request in requests
        if "/video-upload/" not in request.url.path
    ]


def values_in(request: httpx.Request) -> dict[str, str]:
    return {name: str(value) for name, value in read_form(request).items()} | dict(request.url.params)


@pytest.mark.parametrize(
    ("names", "settings"),
    [
        *FORMS,
        ([], {"link": "https://example.com/a", "firstComment": "first"}),
        ([], {"draft": True}),
        (["a.mp4"], {"draft": True, "title": "Waves"}),
        (["a.mp4"], {"contentType": "reel", "title": "Waves", "firstComment": "first"}),
        (["a.mp4"], {"contentType": "reel", "draft": True}),
        (["a.mp4"], {"captions": [{"language": "en_US", "url": "/_/media/waves.srt"}]}),
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
        node = {"comments": "PagePost", "captions": "AdVideo"}.get(edge, "Page")
        described = edge_parameters(node, method, edge)
        assert known - (BYTES if edge == "photos" else set()) <= described.keys(), edge
        for name in values.keys() & {"upload_phase", "video_state", "unpublished_content_type"}:
            assert values[name].lower() in enum_values(described[name])


def test_the_fields_that_are_read_exist() -> None:
    # Attachments are an edge of a post, read as a field.
    assert set(POST_FIELDS.split(",")) - {"attachments"} <= node_fields("PagePost")
    assert {"status", "published", "permalink_url", "post_id"} <= node_fields("AdVideo")
    assert {"id", "name", "username", "category"} <= node_fields("Page")
