"""Posts of a paused workspace or account: held when they are due, not late, not failed, and sent once when it ends."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from domain.pauses import WORKSPACE_GATE, MissedPolicy, Resumed, account_gate
from domain.post import HoldReason, PostStatus, TargetStatus
from reconcile.bulk_pace import BulkPace
from reconcile.campaigns import lift_holds
from reconcile.sweep import deliver_in_turn, sweep
from store.models import Post
from store.pauses.gates import open_gate, posts_in_flight
from store.pauses.pauses import end_pause, list_pauses_under_way
from store.publishing.targets import list_attempts
from tests.before_due import before_due
from tests.reconcile.test_bulk_delivery import free_turn
from tests.reconcile.test_sweep import age
from tests.stack import Stack
from tests.workflows.pausing import begin, resume
from tests.workflows.test_held import comes_to_be


@pytest.fixture(autouse=True)
async def no_pause_remains(stack: Stack) -> AsyncIterator[None]:
    yield
    async with stack.api_database.transaction() as session:
        for pause, _ in await list_pauses_under_way(session, stack.workspace_id):
            await end_pause(session, pause, MissedPolicy.SKIP, timedelta(0), await stack.actor())


async def held(stack: Stack, post: Post) -> Post:
    post = await comes_to_be(stack, post.id, TargetStatus.HELD)
    assert post.targets[0].hold_reason == HoldReason.PAUSED
    return post


async def test_a_post_that_falls_due_during_a_pause_is_held_and_published_when_it_ends(stack: Stack) -> None:
    pause = await begin(stack)
    post = await stack.save("paused when due", [stack.accounts["twitter"]], due_in=timedelta(seconds=1))
    handle = await stack.start(post)
    await held(stack, post)
    assert "pause" in (await handle.query("status"))["waiting_for"]
    assert await resume(stack, pause) == Resumed(published=1)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("paused when due")) == 1
    async with stack.database.reading() as session:
        assert [attempt.step for attempt, _ in await list_attempts(session, post.id)] == ["publish"]


async def test_a_publish_now_under_way_is_held_and_costs_its_client_no_wait(stack: Stack) -> None:
    pause = await begin(stack, account_gate("twitter", stack.accounts["twitter"].id))
    stopped = await stack.save("now, but paused", [stack.accounts["twitter"]])
    free = await stack.publish("another account", [stack.accounts["plain"]])
    assert free.status == PostStatus.PUBLISHED
    await stack.start(stopped)
    await held(stack, stopped)
    await resume(stack, pause)
    assert (await stack.settled(stopped.id)).status == PostStatus.PUBLISHED


async def test_a_skipped_post_is_a_draft_whose_workflow_ends(stack: Stack) -> None:
    pause = await begin(stack)
    post = await stack.save("skipped by a pause", [stack.accounts["twitter"]])
    handle = await stack.start(post)
    await held(stack, post)
    assert await resume(stack, pause, MissedPolicy.SKIP) == Resumed(skipped=1)
    await free_turn(stack)
    await deliver_in_turn(stack.worker_database, stack.workflows, BulkPace(100, lambda: False))
    async with asyncio.timeout(60):
        await handle.result()
    post = await stack.read(post.id)
    assert (post.status, post.skip_reason, post.is_delivered) == (PostStatus.DRAFT, "paused", True)
    assert await stack.public("skipped by a pause") == []


async def test_the_time_to_publish_stands_still_during_a_pause(stack: Stack) -> None:
    pause = await begin(stack)
    post = await stack.save("paused beyond its window", [stack.accounts["twitter"]])
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    async with stack.database.transaction() as session:
        values = {"publish_within": 60, "due_at": long_ago}
        await session.execute(update(Post).where(Post.id == post.id).values(**values))
    post = await stack.read(post.id)
    post.targets[0].due_at = long_ago
    await stack.start(post)
    post = await held(stack, post)
    assert post.targets[0].error_category is None
    await resume(stack, pause)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED


async def test_a_signal_to_try_again_sends_nothing_during_a_pause(stack: Stack) -> None:
    pause = await begin(stack)
    post = await stack.save("released too early", [stack.accounts["twitter"]])
    handle = await stack.start(post)
    await held(stack, post)
    await handle.signal("release")
    await handle.signal("retry", "try")
    await asyncio.sleep(1)
    await held(stack, post)
    assert await stack.public("released too early") == []
    await resume(stack, pause)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED


async def test_a_post_whose_gate_was_opened_by_hand_continues_by_itself(stack: Stack) -> None:
    await begin(stack)
    post = await stack.save("opened by hand", [stack.accounts["twitter"]])
    await stack.start(post)
    await held(stack, post)
    assert await lift_holds(stack.worker_database) == 0
    async with stack.api_database.transaction() as session:
        await open_gate(session, stack.workspace_id, WORKSPACE_GATE)
    while await lift_holds(stack.worker_database):
        pass
    await age(stack, post)
    await sweep(stack.worker_database, stack.workflows)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("opened by hand")) == 1


async def test_a_media_post_that_is_held_keeps_its_uploads(stack: Stack) -> None:
    post = await stack.save(
        "uploaded before the pause", [stack.accounts["twitter"]], media=["https://example.com/a.jpg"]
    )
    pause = await begin(stack)
    await stack.start(post)
    await held(stack, post)
    await resume(stack, pause)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("uploaded before the pause")) == 1


async def test_nothing_becomes_public_once_a_pause_is_definite(stack: Stack) -> None:
    """Posts fall due from a second before a pause to some seconds after it; the platform's count decides."""

    async def start_posts_around(begins_at: datetime) -> list[Post]:
        posts = []
        for number in range(30):
            # The last five are due later: on a busy machine a second passes until the pause has begun.
            due_in = begins_at - datetime.now(UTC) + timedelta(seconds=(number - 15) / 15 if number < 25 else 4)
            text = f"around a pause at {begins_at:%S.%f}: {number}"
            posts.append(await stack.save(text, [stack.accounts["twitter"]], due_in=due_in))
        for post in posts:
            await stack.start(post)
        return posts

    begins_at, posts = await before_due(start_posts_around)
    expected = sorted(post.content or "" for post in posts)

    async def public() -> list[str]:
        return [post["text"] for post in (await stack.control("GET", "posts"))["posts"] if post["text"] in expected]

    await asyncio.sleep((begins_at - datetime.now(UTC)).total_seconds())
    pause = await begin(stack)
    async with asyncio.timeout(60):
        while await in_flight(stack):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    before = await public()
    await asyncio.sleep(2)
    assert await public() == before
    assert 0 < len(before) < len(posts)
    await resume(stack, pause)
    for post in posts:
        assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert sorted(await public()) == expected


async def in_flight(stack: Stack) -> bool:
    async with stack.database.reading() as session:
        return bool(await posts_in_flight(session, stack.workspace_id, WORKSPACE_GATE))
