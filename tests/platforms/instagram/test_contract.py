"""Every name sent to Instagram must be one that Meta's own machine-readable description of the edge contains."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from domain.post import Media, MediaType
from platforms.base import Draft, Published
from platforms.instagram import PLATFORM, fields
from platforms.instagram.platform import MEDIA_FIELDS
from platforms.instagram.settings import InstagramSettings
from tests.platforms.rig import Connect
from tests.platforms.specs import SPECS

DOCUMENTS = SPECS / "meta"

pytestmark = pytest.mark.skipif(
    not DOCUMENTS.is_dir(), reason=f"Meta's description of its edges may not be shipped and is not at {DOCUMENTS}"
)

IMAGE = Media(type=MediaType.IMAGE, url="https://cdn.example.com/1.jpg", alt_text="a beach")
VIDEO = Media(type=MediaType.VIDEO, url="https://cdn.example.com/1.mp4", alt_text="waves")
EVERYTHING = InstagramSettings.model_validate(
    {
        "shareToFeed": True,
        "collaborators": ["natgeo"],
        "firstComment": "first",
        "trialParams": {"graduationStrategy": "MANUAL"},
        "userTags": [{"username": "nasa", "x": 0.5, "y": 0.5}],
        "audioName": "Waves",
        "thumbOffset": 1500,
        "instagramThumbnail": "https://cdn.example.com/cover.jpg",
        "locationId": "7640348500",
        "isAiGenerated": True,
    }
)


YOUNGER = {"is_ai_generated"}
"""Names that are younger than the description; source: Instagram's changelog of June 22, 2026."""


def described(node: str, method: str, edge: str) -> set[str]:
    apis: list[dict[str, Any]] = json.loads((DOCUMENTS / f"{node}.json").read_text())["apis"]
    [api] = [api for api in apis if api["method"] == method and api.get("endpoint") == edge]
    return {param["name"] for param in api["params"]}


@pytest.mark.parametrize(
    ("media", "content_type"),
    [
        ((IMAGE,), None),
        ((VIDEO,), None),
        ((IMAGE, VIDEO), None),
        ((IMAGE,), "story"),
        ((VIDEO,), "story"),
    ],
)
@pytest.mark.parametrize("node", ["IGUser", "IGUserForIGOnlyAPI"])
def test_containers_are_made_of_names_that_the_media_edge_knows(
    media: tuple[Media, ...], content_type: str | None, node: str
) -> None:
    draft = Draft("a caption", media, EVERYTHING.model_copy(update={"content_type": content_type}))
    sent = fields.of_post(draft, ["1", "2"]).keys() | {name for item in fields.of_items(draft) for name in item}
    assert sent - YOUNGER <= described(node, "POST", "media")


async def test_every_request_of_a_post_uses_names_that_its_edge_knows(connect: Connect) -> None:
    rig = await connect("instagram")
    sent: list[tuple[str, str, set[str]]] = []

    async def note(request: httpx.Request) -> None:
        edge = request.url.path.rpartition("/")[2]
        sent.append((request.method, edge, set(parse_qs(request.content.decode())) | set(request.url.params)))

    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        connection = rig.connection(client)
        settings = {"firstComment": "first"}
        context = rig.context("Hi", [rig.sandbox.media("a.jpg"), rig.sandbox.media("b.mp4")], settings=settings)
        await PLATFORM.prepare(connection, context)
        context.started_at = datetime.now(UTC)
        published = await PLATFORM.publish(connection, context)
        await PLATFORM.complete(connection, context, published)
        assert isinstance(await PLATFORM.confirm(connection, context), Published)

    posts = [(edge, names) for method, edge, names in sent if method == "POST"]
    assert [edge for edge, _ in posts] == ["media", "media", "media", "media_publish", "comments"]
    for edge, names in posts:
        assert names <= described("IGMedia" if edge == "comments" else "IGUser", "POST", edge)
    # Paging and field selection belong to the whole Graph API and are not described for any edge.
    assert {name for method, _, names in sent if method == "GET" for name in names} == {"fields", "limit"}


def test_the_fields_that_are_read_exist() -> None:
    known = json.loads((DOCUMENTS / "IGMediaForIGOnlyAPI.json").read_text())["fields"]
    assert set(MEDIA_FIELDS.split(",")) <= {field["name"] for field in known}
