"""The posts of a thread after its first: each is made once, and a refusal ends the thread with a warning."""

from datetime import timedelta
from typing import Any

import pytest

from platforms.base import PublishContext, Published
from platforms.errors import ErrorKind
from tests.platforms.post_steps import ready, refused, resumed, thread
from tests.platforms.rig import Connect, Rig

RUDE: dict[str, Any] = {
    "bluesky": {"error": "InvalidRequest", "message": "too rude"},
    "threads": {"error": {"message": "too rude", "code": 100}},
    "twitter": {"type": "about:blank", "title": "Invalid Request", "detail": "too rude"},
}
"""How each platform words a refusal."""


@pytest.fixture(params=RUDE)
async def rig(request: pytest.FixtureRequest, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Rig:
    rig = await connect(request.param)
    # The lists of the sandbox do not lag: a post that they do not show does not exist.
    monkeypatch.setattr(type(rig.platform), "read_lag", timedelta(0))
    return rig


def settings(rig: Rig) -> dict[str, Any]:
    images = [{"type": "image", "url": rig.sandbox.media(name).url, "altText": name} for name in ("b.jpg", "c.png")]
    return {"threadItems": [{"content": "second", "mediaItems": images}, {"content": "third"}]}


async def begun(rig: Rig) -> tuple[PublishContext[Any], Published]:
    """Publish the first post of a thread."""
    context = rig.context("first", settings=settings(rig))
    assert rig.platform.check(context.draft, rig.account) == []
    await ready(rig, context)
    assert await rig.posts() == []
    return context, await rig.platform.publish(rig.connection(), context)


async def test_a_thread_follows_post_by_post_with_its_media(rig: Rig) -> None:
    context, published = await begun(rig)
    done = await rig.platform.complete(rig.connection(), context, published)
    assert done.platform_post_id == published.platform_post_id == (await rig.posts())[-1]["platformPostId"]
    assert done.warning is None
    assert await thread(rig) == ["first", "second", "third"]
    assert [[media["alt"] for media in card["media"]] for card in await rig.cards()] == [[], ["b.jpg", "c.png"], []]
    before = len(rig.exchanges)
    assert await rig.platform.complete(rig.connection(), resumed(rig, context), done) == done
    assert len(rig.exchanges) == before


@pytest.mark.parametrize("fault", ["drop", "accept_then_drop", "accept_then_500", "rate_limited"])
@pytest.mark.parametrize("number", [2, 3])
async def test_a_thread_that_breaks_continues_without_a_second_copy(rig: Rig, fault: str, number: int) -> None:
    context, published = await begun(rig)
    if number == 3:
        items = context.draft.settings.thread_items
        context.draft.settings.thread_items = items[:1]
        await rig.platform.complete(rig.connection(), context, published)
        context.draft.settings.thread_items = items
    await rig.sandbox.fault(rig.platform.name, fault, "publish")
    error = await refused(rig.platform.complete(rig.connection(), context, published))
    assert error.kind in {ErrorKind.TRANSIENT, ErrorKind.NOT_READY, ErrorKind.RATE_LIMITED}
    done = await rig.platform.complete(rig.connection(), resumed(rig, context), published)
    assert done.warning is None
    assert await thread(rig) == ["first", "second", "third"]


async def test_a_post_of_a_thread_that_is_refused_ends_it_with_a_warning(rig: Rig) -> None:
    context, published = await begun(rig)
    body = RUDE[rig.platform.name]
    await rig.sandbox.fault(rig.platform.name, "reject", "publish", status=400, body=body)
    done = await rig.platform.complete(rig.connection(), context, published)
    assert done.platform_post_id == published.platform_post_id
    assert done.url
    assert done.warning
    assert done.warning.startswith("The thread ends before its post 2.")
    assert "too rude" in done.warning
    assert await thread(rig) == ["first"]
