"""Every name that Instagram is sent must be one that Meta's own machine-readable description of the edge knows."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.post import Media, MediaType
from platforms.base import Draft
from platforms.instagram import fields
from platforms.instagram.settings import InstagramSettings

SPECS = Path(__file__).parents[3] / "shared" / "specs" / "meta"

pytestmark = pytest.mark.skipif(
    not SPECS.is_dir(), reason=f"Meta's description of its edges may not be shipped and is not at {SPECS}"
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
    }
)


def described(node: str, method: str, edge: str) -> set[str]:
    apis: list[dict[str, Any]] = json.loads((SPECS / f"{node}.json").read_text())["apis"]
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
    sent = fields.of_post(draft, ["1", "2"]).keys() | fields.of_item(draft, 0).keys()
    assert sent <= described(node, "POST", "media")


def test_publishing_and_commenting_use_names_that_their_edges_know() -> None:
    assert "creation_id" in described("IGUser", "POST", "media_publish")
    assert "message" in described("IGMedia", "POST", "comments")


def test_the_fields_that_are_read_exist() -> None:
    known = json.loads((SPECS / "IGMediaForIGOnlyAPI.json").read_text())["fields"]
    assert {"id", "caption", "permalink", "timestamp"} <= {field["name"] for field in known}
