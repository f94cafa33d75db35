"""Captions of videos on X and Facebook: each added once after the post, and a refusal costs the post nothing."""

from typing import Any

import pytest

from platforms.base import PublishContext, Published
from platforms.errors import ErrorKind
from platforms.facebook import videos
from tests.platforms.post_steps import ready, refused
from tests.platforms.rig import Connect, Rig

LANGUAGES = {"twitter": ("en", "de"), "facebook": ("en_US", "de-DE")}
REFUSALS: dict[str, dict[str, Any]] = {
    "twitter": {
        "type": "https://api.x.com/2/problems/invalid-request",
        "title": "Invalid Request",
        "detail": "No.",
        "errors": [{"message": "media_category must be TweetVideo."}],
    },
    "facebook": {"error": {"message": "Not a format that we support.", "type": "OAuthException", "code": 385}},
}


@pytest.fixture(params=list(LANGUAGES))
async def rig(request: pytest.FixtureRequest, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(videos, "CHECK_PAUSES", (0, 0.01))
    return await connect(request.param)


async def published(rig: Rig) -> tuple[PublishContext[Any], Published]:
    url = f"{rig.sandbox.url}/_/media/waves.srt"
    captions = [{"language": language, "url": url} for language in LANGUAGES[rig.platform.name]]
    context = rig.context("Waves", [rig.sandbox.media("a.mp4")], settings={"captions": captions})
    assert rig.platform.check(context.draft, rig.account) == []
    return context, await rig.platform.publish(rig.connection(), await ready(rig, context))


async def added(rig: Rig, context: PublishContext[Any]) -> list[str]:
    """Return the languages of the captions as the platform has them, or as X took them."""
    if rig.platform.name == "facebook":
        answer = await rig.read(f"/v25.0/{context.handles['video']['id']}/captions")
        return [item["locale"] for item in answer["data"]]
    return [body["subtitles"]["language_code"] for body in rig.bodies("/2/media/subtitles")]


async def test_captions_follow_once_and_are_not_repeated(rig: Rig) -> None:
    context, post = await published(rig)
    assert await added(rig, context) == []
    for _ in range(2):
        done = await rig.platform.complete(rig.connection(), context, post)
        assert (done.platform_post_id, done.warning) == (post.platform_post_id, None)
    assert await added(rig, context) == {"twitter": ["EN", "DE"], "facebook": ["de_DE", "en_US"]}[rig.platform.name]
    assert (await rig.operations()).count("publish") == 1


async def test_a_lost_answer_repeats_the_captions_and_never_the_post(rig: Rig) -> None:
    context, post = await published(rig)
    await rig.sandbox.fault(rig.platform.name, "accept_then_drop", "edit")
    assert (await refused(rig.platform.complete(rig.connection(), context, post))).kind is ErrorKind.TRANSIENT
    assert (await rig.platform.complete(rig.connection(), context, post)).warning is None
    assert (
        set(await added(rig, context)) == {"twitter": {"EN", "DE"}, "facebook": {"de_DE", "en_US"}}[rig.platform.name]
    )
    assert (await rig.operations()).count("publish") == 1


async def test_captions_that_are_refused_become_a_warning(rig: Rig) -> None:
    context, post = await published(rig)
    await rig.sandbox.fault(rig.platform.name, "reject", "edit", status=400, body=REFUSALS[rig.platform.name])
    warning = (await rig.platform.complete(rig.connection(), context, post)).warning or ""
    first, second = LANGUAGES[rig.platform.name]
    assert f"The caption track ({first}) was not added" in warning
    assert f"({second})" not in warning


async def test_captions_of_a_video_that_is_not_known_become_a_warning(rig: Rig) -> None:
    """A person may have said that a post is public after its handles were lost."""
    context, post = await published(rig)
    context.handles.clear()
    warning = (await rig.platform.complete(rig.connection(), context, post)).warning or ""
    assert "It is not known which video" in warning
