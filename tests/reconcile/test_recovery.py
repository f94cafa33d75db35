"""A lost workflow is started again from its row; a workflow that knows more than its row is never restarted."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs
from temporalio.client import WorkflowExecutionStatus

from domain.audit import Action
from domain.post import PostStatus, TargetStatus
from domain.transitions import BeforeSend, paused
from reconcile import recovery as module
from reconcile.recovery import Recovery
from store.maintenance.open_posts import open_due_between
from store.models import Attempt, AuditEvent, Post, Target
from store.posts.delivery import record_delivered
from store.publishing.sending import settle
from tests.reconcile.doctor.conftest import asleep, write
from tests.stack import Stack
from workflows.client.runs import Runs

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def recovery(stack: Stack) -> Recovery:
    return Recovery(stack.worker_database, stack.workflows, Runs(stack.client))


async def rewind(stack: Stack, post: Post) -> None:
    """Reset the rows to their state before the post was published, as an older backup does."""
    before = post.created_at
    async with stack.database.transaction() as session:
        await session.execute(
            update(Post)
            .where(Post.id == post.id)
            .values(status=PostStatus.SCHEDULED, published_at=None, updated_at=before, version=1, delivered_version=1)
        )
        await session.execute(
            update(Target)
            .where(Target.post_id == post.id)
            .values(status=TargetStatus.PENDING, platform_post_id=None, platform_post_url=None, published_at=None)
        )
        await session.execute(delete(Attempt).where(Attempt.target_id.in_([target.id for target in post.targets])))


async def test_a_terminated_workflow_is_started_again_and_publishes_once(stack: Stack, recovery: Recovery) -> None:
    post, handle = await asleep(stack, "terminated", timedelta(seconds=3))
    await handle.terminate(reason="by mistake")
    async with asyncio.timeout(60):
        # The store that lists workflows learns of it a moment later.
        while await Runs(stack.client).running_among([post.workflow_id]):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    assert await recovery.round(ALWAYS, datetime.now(UTC) + timedelta(hours=1)) == 1
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("terminated")) == 1


async def test_a_workflow_that_temporal_has_forgotten_is_started_again(stack: Stack, recovery: Recovery) -> None:
    post, handle = await asleep(stack, "forgotten", timedelta(seconds=3))
    await handle.terminate()
    # As after a restore of Temporal's database to an earlier time, for this post alone.
    await write(stack, post, workflow_id=f"{post.workflow_id}-unknown")
    assert await recovery.round(ALWAYS, datetime.now(UTC) + timedelta(hours=1)) == 1
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("forgotten")) == 1


async def test_send_open_at_termination_is_confirmed_and_not_repeated(stack: Stack, recovery: Recovery) -> None:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "drop", "confirm", times=2)
    post, handle = await asleep(stack, "out when terminated", timedelta(seconds=1))
    async with asyncio.timeout(60):
        while (await stack.read(post.id)).targets[0].status != TargetStatus.UNCONFIRMED:  # noqa: ASYNC110 the row is polled
            await asyncio.sleep(0.05)
    await handle.terminate()
    await stack.clear_faults()
    assert await recovery.round(ALWAYS, datetime.now(UTC)) == 1
    (target,) = (await stack.settled(post.id)).targets
    (public,) = await stack.public("out when terminated")
    assert target.platform_post_id == public["platformPostId"]


async def test_healthy_workflows_are_left_alone(stack: Stack, recovery: Recovery) -> None:
    _, handle = await asleep(stack, "in peace", timedelta(hours=2))
    run = (await handle.describe()).run_id
    assert await recovery.round(ALWAYS, datetime.now(UTC) + timedelta(hours=3)) == 0
    assert (await handle.describe()).run_id == run
    await handle.terminate()


async def test_posts_due_later_are_left_for_a_later_round(stack: Stack, recovery: Recovery) -> None:
    post, handle = await asleep(stack, "not yet looked at", timedelta(hours=2))
    await handle.terminate()
    assert await recovery.round(ALWAYS, datetime.now(UTC) + timedelta(hours=1)) == 0
    await write(stack, post, status=PostStatus.DRAFT)


async def test_a_row_older_than_a_completed_run_is_never_sent_again(stack: Stack, recovery: Recovery) -> None:
    post = await stack.publish("older copy", [stack.accounts["instagram"]], media=["https://example.com/a.jpg"])
    await stack.client.get_workflow_handle(post.workflow_id).result()
    await rewind(stack, post)
    with capture_logs() as logs:
        assert await recovery.round(ALWAYS, datetime.now(UTC)) == 1
    assert [line["event"] for line in logs if line.get("post_id") == post.id][:1] == ["recovery.confirms_first"]
    (public,) = await stack.public("older copy")
    settled = await stack.settled(post.id)
    assert (settled.status, settled.targets[0].platform_post_id) == (PostStatus.PUBLISHED, public["platformPostId"])
    assert len(await stack.public("older copy")) == 1


async def test_a_row_older_than_a_terminated_run_that_has_published_is_never_sent_again(
    stack: Stack, recovery: Recovery
) -> None:
    post = await stack.publish("older copy of a tweet", [stack.accounts["plain"]])
    handle = stack.client.get_workflow_handle(post.workflow_id)
    async with asyncio.timeout(60):
        while (await handle.query("status"))["status"] != PostStatus.PUBLISHED:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    await handle.terminate()
    await rewind(stack, post)
    assert await recovery.round(ALWAYS, datetime.now(UTC)) == 1
    (public,) = await stack.public("older copy of a tweet")
    settled = await stack.settled(post.id)
    assert (settled.status, settled.targets[0].platform_post_id) == (PostStatus.PUBLISHED, public["platformPostId"])
    assert len(await stack.public("older copy of a tweet")) == 1


async def test_a_cancelled_post_stays_cancelled(stack: Stack, recovery: Recovery) -> None:
    post, handle = await asleep(stack, "cancelled", timedelta(minutes=30))
    await handle.cancel()
    assert (await stack.settled(post.id)).status == PostStatus.FAILED
    async with asyncio.timeout(60):
        while (await handle.describe()).status is not WorkflowExecutionStatus.CANCELED:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    await rewind(stack, post)
    assert await recovery.round(ALWAYS, datetime.now(UTC) + timedelta(hours=1)) == 0
    assert (await stack.read(post.id)).status == PostStatus.SCHEDULED
    await write(stack, post, status=PostStatus.FAILED)


async def test_rounds_at_the_same_time_start_one_workflow(stack: Stack, recovery: Recovery) -> None:
    post, handle = await asleep(stack, "two rounds", timedelta(minutes=30))
    await handle.terminate()
    end = datetime.now(UTC) + timedelta(hours=1)
    other = Recovery(stack.worker_database, stack.workflows, Runs(stack.client))
    await asyncio.gather(recovery.round(ALWAYS, end), other.round(ALWAYS, end))
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    async with stack.database.reading() as session:
        entries = await session.scalars(select(AuditEvent.action).where(AuditEvent.post_id == post.id))
        assert list(entries).count(Action.RESTARTED) == 1
    assert await recovery.round(ALWAYS, end) == 0
    await handle.terminate()


async def test_post_due_soon_is_checked_every_minute(
    stack: Stack, recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY", timedelta(seconds=0.2))
    monkeypatch.setattr(module, "_SHARE", 0)
    rounds = list[datetime]()
    actual = recovery.round

    async def counted(begin: datetime, end: datetime, *, resting: bool | None = None) -> int:
        rounds.append(end)
        return await actual(begin, end, resting=resting)

    monkeypatch.setattr(recovery, "round", counted)
    running = asyncio.create_task(recovery.task().run())
    try:
        async with asyncio.timeout(60):
            while len(rounds) < 3:  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.05)
            post, handle = await asleep(stack, "terminated a minute ahead", timedelta(seconds=60))
            await handle.terminate()
            while (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.1)
    finally:
        running.cancel()
    await stack.delete(post)


async def test_held_posts_are_compared_by_rounds_of_their_own(stack: Stack, recovery: Recovery) -> None:
    paused_post = await stack.save("lost in a pause", [stack.accounts["plain"]])
    half_paused = await stack.save("half in a pause", [stack.accounts["plain"], stack.accounts["twitter"]])
    for post in paused_post, half_paused:
        await settle(stack.database, post.targets[0].id, BeforeSend(None), paused())
    async with stack.database.transaction() as session:
        await record_delivered(session, {paused_post.id: 1, half_paused.id: 1})
    end = datetime.now(UTC) + timedelta(seconds=1)

    async def compared(*, resting: bool) -> set[str]:
        async with stack.database.reading() as session:
            return {post.id for post in await open_due_between(session, ALWAYS, end, None, 10_000, resting=resting)}

    waiting = await stack.save("waits for its next try", [stack.accounts["plain"]])
    async with stack.database.transaction() as session:
        values = {"status": "publishing", "next_attempt_at": datetime.now(UTC) + timedelta(hours=1)}
        await session.execute(update(Target).where(Target.post_id == waiting.id).values(values))
    assert waiting.id in await compared(resting=True)
    async with stack.database.transaction() as session:
        tried = {"next_attempt_at": datetime.now(UTC) - timedelta(seconds=1)}
        await session.execute(update(Target).where(Target.post_id == waiting.id).values(tried))
    assert waiting.id in await compared(resting=False)

    both = {paused_post.id, half_paused.id}
    assert both & await compared(resting=False) == {half_paused.id}
    assert both & await compared(resting=True) == {paused_post.id}
    await recovery.round(ALWAYS, end, resting=False)
    assert await Runs(stack.client).latest(paused_post.workflow_id) is None
    assert await recovery.round(ALWAYS, end, resting=True) >= 1
    assert await Runs(stack.client).latest(paused_post.workflow_id) is not None
