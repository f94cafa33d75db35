"""The first comment below a post: made once, never repeated blindly, and made later if it surely was not made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from platforms.base import PublishContext, Published
from platforms.errors import ErrorKind
from tests.platforms.post_steps import ready, refused
from tests.platforms.rig import Connect, Rig

COMMENT = "first"


@dataclass(frozen=True)
class Comments:
    """The request for the comments below a post, in a platform's own API."""

    media: tuple[str, ...]
    path: str
    text: tuple[str | int, ...]
    refusal: Any
    headers: Mapping[str, str]
    items: str = "data"

    async def below(self, rig: Rig, published: Published) -> list[str]:
        """Return the texts of all comments below a post."""
        post_id = published.platform_post_id.replace(":", "%3A")
        token = rig.stored.access_token.get_secret_value()
        answer = await rig.sandbox.client.get(
            f"{rig.sandbox.url}/{rig.platform.name}{self.path.format(post_id)}",
            headers={"Authorization": f"Bearer {token}", **self.headers},
        )
        comments = []
        for item in answer.raise_for_status().json()[self.items]:
            for key in self.text:
                item = item[key]  # noqa: PLW2901
            comments.append(item)
        return comments


GRAPH = {"error": {"code": 100, "message": "No comments here"}}
PLATFORMS = {
    "facebook": Comments((), "/v25.0/{}/comments", ("message",), GRAPH, {}),
    "instagram": Comments(("a.jpg",), "/v25.0/{}/comments", ("text",), GRAPH, {}),
    "linkedin": Comments(
        (),
        "/rest/socialActions/{}/comments",
        ("message", "text"),
        {"status": 400, "message": "No comments here"},
        {"LinkedIn-Version": "202609"},
        "elements",
    ),
    "youtube": Comments(
        ("a.mp4",),
        "/youtube/v3/commentThreads?part=snippet&videoId={}",
        ("snippet", "topLevelComment", "snippet", "textOriginal"),
        {"error": {"code": 400, "message": "No comments here", "errors": [{"reason": "x"}]}},
        {},
        "items",
    ),
}


@pytest.fixture(params=PLATFORMS)
async def rig(request: pytest.FixtureRequest, connect: Connect) -> Rig:
    return await connect(request.param)


async def public(rig: Rig) -> tuple[PublishContext[Any], Published]:
    """Publish a post up to its first comment."""
    media = [rig.sandbox.media(name) for name in PLATFORMS[rig.platform.name].media]
    # LinkedIn lets comments be read below the posts of pages only.
    page = {"organizationUrn": f"urn:li:organization:{rig.account.user_id}"} if rig.platform.name == "linkedin" else {}
    context = rig.context(f"Post of {rig.account.user_id}", media, settings={"firstComment": COMMENT, **page})
    await ready(rig, context)
    return context, await rig.platform.publish(rig.connection(), context)


async def completed(rig: Rig, context: PublishContext[Any], published: Published) -> str:
    """Complete a post; returns the warning."""
    return (await rig.platform.complete(rig.connection(), context, published)).warning or ""


async def test_a_first_comment_is_made_once(rig: Rig) -> None:
    context, published = await public(rig)
    for _ in range(2):
        assert await completed(rig, context, published) == ""
    assert await PLATFORMS[rig.platform.name].below(rig, published) == [COMMENT]


@pytest.mark.parametrize("fault", ["drop", "accept_then_drop", "accept_then_500"])
async def test_a_first_comment_whose_response_was_lost_is_a_warning_and_not_repeated(rig: Rig, fault: str) -> None:
    context, published = await public(rig)
    await rig.sandbox.fault(rig.platform.name, fault, "edit")
    for _ in range(2):
        assert "not known" in await completed(rig, context, published)
        context.handles = rig.saved[-1]
    assert await PLATFORMS[rig.platform.name].below(rig, published) == [COMMENT] * (fault != "drop")


async def test_a_first_comment_that_surely_was_not_made_is_made_later(rig: Rig) -> None:
    context, published = await public(rig)
    await rig.sandbox.fault(rig.platform.name, "rate_limited", "edit", seconds=60)
    error = await refused(rig.platform.complete(rig.connection(), context, published))
    assert error.kind is ErrorKind.RATE_LIMITED
    assert await completed(rig, context, published) == ""
    assert await PLATFORMS[rig.platform.name].below(rig, published) == [COMMENT]


async def test_a_first_comment_that_is_refused_becomes_a_warning(rig: Rig) -> None:
    context, published = await public(rig)
    body = PLATFORMS[rig.platform.name].refusal
    await rig.sandbox.fault(rig.platform.name, "reject", "edit", status=400, body=body)
    for _ in range(2):
        warning = await completed(rig, context, published)
        assert warning.startswith("The first comment was not added: ")
        assert "No comments here" in warning
    assert await PLATFORMS[rig.platform.name].below(rig, published) == []
