"""An operator's cancel: it leaves nothing to confirm, and a later request is published."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import Worker

from activities.commands import PostCommand
from activities.posts import PostActivities
from domain.plan import Plan
from domain.post import PostStatus, TargetStatus
from reconcile.recovery import Recovery
from store.models import Post
from store.posts.changes import lock_post
from tests.stack import Stack
from tests.workflows.scenarios import Handle, comes_to
from tests.workflows.waiting import asleep, until
from tests.workflows.workers import UNCACHED, leave
from workflows.client.runs import Runs
from workflows.post import PostWorkflow

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


async def test_a_cancelled_send_leaves_nothing_to_confirm(stack: Stack) -> None:
    await stack.fault("twitter", "accept_then_delay", "publish", seconds=4)
    post = await stack.save("cancelled while sent", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await until(lambda: _status_is(stack, post, TargetStatus.PUBLISHING))
    await handle.cancel()
    await until(lambda: _closed(handle))
    row = await stack.read(post.id)
    (target,) = row.targets
    assert not target.confirming
    public = await stack.public("cancelled while sent")
    assert len(public) <= 1
    if target.status == TargetStatus.UNCONFIRMED:
        assert (row.status, target.error_code) == (PostStatus.PARTIAL, "cancelled")
    else:
        assert (row.status, target.platform_post_id) == (PostStatus.PUBLISHED, public[0]["platformPostId"])


async def _status_is(stack: Stack, post: Post, status: TargetStatus) -> bool:
    return (await stack.read(post.id)).targets[0].status == status


async def _closed(handle: Handle) -> bool:
    return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING


async def test_running_retry_is_written_off_by_a_cancel(stack: Stack) -> None:
    await stack.fault("twitter", "reject", "publish", status=403)
    post = await stack.publish("cancelled while retried", [stack.accounts["plain"]])
    handle = await comes_to(stack.client.get_workflow_handle(post.workflow_id), "Open for a retry")
    async with stack.database.transaction() as session:
        await lock_post(session, post.id)
        await handle.signal("retry")
        await until(lambda: _waits_for(handle, "reopen"))
        await handle.cancel()
        await asyncio.sleep(0.5)
    await until(lambda: _closed(handle))
    row = await stack.read(post.id)
    assert (row.status, row.targets[0].error_code) == (PostStatus.FAILED, "cancelled")
    recovery = Recovery(stack.worker_database, stack.workflows, Runs(stack.client))
    assert await recovery.round(ALWAYS, datetime.now(UTC)) == 0
    assert await stack.public("cancelled while retried") == []


async def test_late_retry_is_awaited_before_a_write_off(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the retry came after the write-off, the row would request a post that is cancelled for its operator."""
    gate = asyncio.Event()

    class Slow(PostActivities):
        @activity.defn(name="reopen")
        async def reopen(self, command: PostCommand) -> Plan | None:
            await gate.wait()
            return await super().reopen(command)

    monkeypatch.setattr("workflows.client.post_workflows.POSTS_QUEUE", "posts-late-retry")
    monkeypatch.setattr("activities.options.POSTS_QUEUE", "posts-late-retry")
    await stack.fault("twitter", "reject", "publish", status=403)
    posts, text = Slow(stack.worker_database), "cancelled before its retry"
    post = await stack.save(text, [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    activities = [posts.read_plan, posts.reopen, posts.write_off, posts.give_up, leave]
    async with Worker(
        stack.client, task_queue="posts-late-retry", workflows=[PostWorkflow], activities=activities, **UNCACHED
    ):
        handle = await comes_to(await stack.start(post), "Open for a retry")
        await handle.signal("retry")
        await until(lambda: _waits_for(handle, "reopen"))
        await handle.cancel()
        await asyncio.sleep(1)
        assert not await _closed(handle)
        gate.set()
        await until(lambda: _closed(handle))
    row = await stack.read(post.id)
    assert (row.status, row.targets[0].error_code) == (PostStatus.FAILED, "cancelled")
    assert await stack.public(text) == []


async def _waits_for(handle: Handle, step: str) -> bool:
    pending = (await handle.describe()).raw_description.pending_activities
    return any(activity.activity_type.name == step for activity in pending)


async def test_request_after_a_cancel_is_published(stack: Stack) -> None:
    post, handle = await asleep(stack, "cancelled, then retried", timedelta(hours=5))
    await handle.cancel()
    await until(lambda: _closed(handle))
    await stack.retry(await stack.read(post.id))
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("cancelled, then retried")) == 1
