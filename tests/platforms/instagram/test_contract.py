"""Every name sent to Instagram must be one that Meta's own machine-readable description of the edge contains."""

from urllib.parse import parse_qs

import pytest

from domain.post import Media, MediaType
from platforms.base import Draft, Published
from platforms.instagram import PLATFORM
from platforms.instagram.platform import MEDIA_FIELDS, item_fields, post_fields
from platforms.instagram.rules import InstagramSettings
from tests.platforms.post_steps import publish
from tests.platforms.rig import Connect, noting
from tests.platforms.specs import edge_parameters, needs, node_fields

pytestmark = needs("meta")

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
    sent = post_fields(draft, ["1", "2"]).keys() | {name for item in item_fields(draft) for name in item}
    assert sent - YOUNGER <= edge_parameters(node, "POST", "media").keys()


async def test_every_request_of_a_post_uses_names_that_its_edge_knows(connect: Connect) -> None:
    rig = await connect("instagram")
    media = [rig.sandbox.media("a.jpg"), rig.sandbox.media("b.mp4")]
    async with noting() as (client, requests):
        context = rig.context("Hi", media, settings={"firstComment": "first"})
        await publish(rig, context, client)
        assert isinstance(await PLATFORM.confirm(rig.connection(client), context), Published)

    posts = [
        (request.url.path.rpartition("/")[2], set(parse_qs(request.content.decode())) | set(request.url.params))
        for request in requests
        if request.method == "POST"
    ]
    assert [edge for edge, _ in posts] == ["media", "media", "media", "media_publish", "comments"]
    for edge, names in posts:
        assert names <= edge_parameters("IGMedia" if edge == "comments" else "IGUser", "POST", edge).keys()
    # Paging and field selection belong to the whole Graph API and are not described for any edge.
    assert {name for request in requests if request.method == "GET" for name in request.url.params} == {
        "fields",
        "limit",
    }


def test_the_fields_that_are_read_exist() -> None:
    assert set(MEDIA_FIELDS.split(",")) <= node_fields("IGMediaForIGOnlyAPI")
