"""Threads on X through the whole product: its worker, its workflows, and a sandbox that loses responses."""

from datetime import timedelta
from typing import Any

import pytest

from domain.post import PostStatus
from platforms.steps import thread
from store.models import Revision
from store.rows import current_row
from tests.stack import Stack


def items(stack: Stack, name: str) -> dict[str, Any]:
    picture = {"type": "image", "url": f"{stack.sandbox_url}/_/media/{name}.jpg", "altText": "A beach at dusk"}
    texts = [f"{name} second", f"{name} third"]
    return {"threadItems": [{"content": texts[0], "mediaItems": [picture]}, {"content": texts[1]}]}


async def count(stack: Stack, name: str) -> list[int]:
    return [len(await stack.public(f"{name} {which}")) for which in ("first", "second", "third")]


@pytest.mark.parametrize("fault", ["drop", "accept_then_drop", "accept_then_500"])
@pytest.mark.parametrize("position", ["first", "second"])
async def test_every_post_of_a_thread_becomes_public_once(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, quick_confirms: None, fault: str, position: str
) -> None:
    monkeypatch.setattr(thread, "FIRST_WAIT", timedelta(seconds=1))
    name = f"thread-{fault}-{position}"
    if position == "second":
        # With a delay of zero, the first post succeeds, and the failure applies to the second one.
        await stack.fault("twitter", "accept_then_delay", "publish", seconds=0)
    await stack.fault("twitter", fault, "publish")
    post = await stack.publish(f"{name} first", [stack.accounts["twitter"]], settings=items(stack, name))
    (target,) = post.targets
    (first,) = await stack.public(f"{name} first")
    assert (post.status, target.platform_post_id) == (PostStatus.PUBLISHED, first["platformPostId"])

    async def whole() -> bool:
        return await count(stack, name) == [1, 1, 1]

    assert await stack.outcomes.wait(post.id, whole, 30)
    assert (await stack.read(post.id)).targets[0].warning is None


async def test_a_thread_that_ends_early_warns_and_its_first_post_may_be_edited(stack: Stack) -> None:
    settings = {"threadItems": [{"content": "the same"}, {"content": "the same"}]}
    post = await stack.publish("a thread", [stack.accounts["twitter"]], settings=settings)
    (target,) = post.targets
    assert post.status == PostStatus.PUBLISHED
    assert target.warning is not None
    assert target.warning.startswith("The thread ends before its post 3.")
    revision_id = await stack.new_text(post, "a thread, edited")
    await stack.workflows.edit(await stack.plan(post), revision_id)

    async def applied() -> bool:
        async with stack.database.transaction() as session:
            revision = await current_row(session, Revision, revision_id)
            return revision is not None and revision.state == "applied"

    assert await stack.outcomes.wait(post.id, applied, 10)
    (edited,) = await stack.public("a thread, edited")
    assert (await stack.read(post.id)).targets[0].platform_post_id == edited["platformPostId"]
