"""The posts of a thread after its first: each is made once, and a refusal ends the thread with a warning."""

from dataclasses import replace
from typing import Any

import pytest

from platforms.base import PublishContext, Published
from platforms.errors import ErrorKind
from tests.platforms.post_steps import ready, refused, resumed
from tests.platforms.rig import Connect, Rig

RUDE = {
    "bluesky": {"error": "InvalidRequest", "message": "too rude"},
    "threads": {"error": {"message": "too rude", "code": 100}},
}
"""How each platform words a refusal."""
SETTINGS = {"threadItems": [{"content": "second"}, {"content": "third"}]}


@pytest.fixture(params=RUDE)
async def rig(request: pytest.FixtureRequest, connect: Connect) -> Rig:
    return await connect(request.param)


async def begun(rig: Rig) -> tuple[PublishContext[Any], Published]:
    """Publish the first post of a thread."""
    context = await ready(rig, rig.context("first", settings=SETTINGS))
    return context, await rig.platform.publish(rig.connection(), context)


@pytest.mark.parametrize("fault", ["drop", "accept_then_drop", "accept_then_500", "rate_limited"])
async def test_a_thread_that_breaks_continues_without_a_second_copy(rig: Rig, fault: str) -> None:
    context, published = await begun(rig)
    await rig.sandbox.fault(rig.platform.name, fault, "publish")
    error = await refused(rig.platform.complete(rig.connection(), context, published))
    assert error.kind in {ErrorKind.TRANSIENT, ErrorKind.NOT_READY, ErrorKind.RATE_LIMITED}
    done = await rig.platform.complete(rig.connection(), resumed(rig, context), published)
    assert done.warning is None
    assert [post["text"] for post in await rig.posts()] == ["third", "second", "first"]
    before = len(rig.exchanges)
    await rig.platform.complete(rig.connection(), resumed(rig, context), replace(done))
    assert len(rig.exchanges) == before


async def test_a_post_of_a_thread_that_is_refused_ends_it_with_a_warning(rig: Rig) -> None:
    context, published = await begun(rig)
    body = RUDE[rig.platform.name]
    await rig.sandbox.fault(rig.platform.name, "reject", "publish", status=400, body=body)
    done = await rig.platform.complete(rig.connection(), context, published)
    assert done.platform_post_id == published.platform_post_id
    assert done.url
    assert done.warning == f"The thread ends before its post 2. {rig.platform.label} refused: too rude"
    assert len(await rig.posts()) == 1
