"""The row decides if a run knows less, more, or another post."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import Worker

from activities.commands import PostCommand
from activities.posts import PostActivities
from domain.ids import workflow_id
from domain.plan import Plan, Unscheduled
from domain.post import PostStatus, TargetStatus
from reconcile.recovery import Recovery
from store.models import Post, Target
from store.posts.changes import lock_post
from store.posts.delivery import record_delivered
from tests.stack import Stack
from tests.workflows.scenarios import Handle, comes_to
from tests.workflows.waiting import asleep, events
from tests.workflows.workers import UNCACHED, leave
from workflows.client.delivery import deliver
from workflows.client.runs import Runs
from workflows.messages import StatusView
from workflows.post import PostWorkflow

pytestmark = pytest.mark.usefixtures("early_confirm")

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
SOON = timedelta(seconds=2)


@asynccontextmanager
async def workflows_away(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, queue: str
) -> AsyncIterator[Callable[[], Worker]]:
    """Make posts run on a queue without a worker until the test starts the worker that this returns."""
    monkeypatch.setattr("workflows.client.post_workflows.POSTS_QUEUE", queue)
    posts = PostActivities(stack.worker_database)

    def workflows() -> Worker:
        activities = [posts.read_plan, posts.reopen, posts.write_off, posts.give_up, leave]
        return Worker(stack.client, task_queue=queue, workflows=[PostWorkflow], activities=activities, **UNCACHED)

    yield workflows


async def test_draft_rescheduled_before_its_run_ends_is_published(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run may end at that time, because the post was a draft."""
    async with workflows_away(stack, monkeypatch, "posts-ending") as workflows:
        post = await stack.save("scheduled, drafted, scheduled", [stack.accounts["plain"]], due_in=timedelta(hours=5))
        async with workflows():
            handle = await comes_to(await stack.start(post), "Sleeping")
        await stack.change(post, due=None, draft=True)
        row = await stack.write_change(post, due=datetime.now(UTC) + SOON)
        delivering = asyncio.create_task(stack.deliver(row))
        await asyncio.sleep(0.5)
        async with workflows():
            await delivering
            assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("scheduled, drafted, scheduled")) == 1
    assert (await handle.describe()).status is not WorkflowExecutionStatus.TERMINATED


async def test_recovery_starts_a_run_that_ended_before_a_reschedule(stack: Stack) -> None:
    post, handle = await asleep(stack, "ended, then wanted", timedelta(hours=5))
    await stack.change(post, due=None, draft=True)
    await handle.result()
    row = await stack.write_change(post, due=datetime.now(UTC) + SOON)
    async with stack.database.transaction() as session:
        # As if its run had been notified, and Temporal had lost that.
        await record_delivered(session, {row.id: row.version})
    recovery = Recovery(stack.worker_database, stack.workflows, Runs(stack.client))
    assert await recovery.round(ALWAYS, datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED


async def test_a_late_plan_of_a_held_post_leaves_no_run_that_waits(stack: Stack) -> None:
    """The plan was read while the post was held; it arrives once the run that published the post has completed."""
    account = await stack.revoked("linkedin")
    post = await stack.save("held, published, notified again", [account])
    handle = await comes_to(await stack.start(post), "Held")
    late = await stack.plan(await stack.read(post.id))
    await stack.reconnect(account)
    await handle.signal("release")
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    await handle.result()
    await deliver(stack.api_database, stack.workflows, late)
    async with asyncio.timeout(60):
        view = await stack.client.get_workflow_handle(post.workflow_id).result()
    assert view["status"] == PostStatus.PUBLISHED
    assert len(await stack.public("held, published, notified again")) == 1


async def test_a_release_that_starts_a_run_counts_for_it(stack: Stack) -> None:
    account = await stack.revoked("twitter")
    post = await stack.save("released without a run", [account])
    handle = await comes_to(await stack.start(post), "Held")
    await handle.terminate()
    held = await stack.plan(await stack.read(post.id))
    await stack.reconnect(account)
    await stack.workflows.release(held)
    assert (await stack.settled(post.id, 15)).status == PostStatus.PUBLISHED
    assert len(await stack.public("released without a run")) == 1


async def test_late_older_change_is_ignored(stack: Stack) -> None:
    post, handle = await asleep(stack, "changed twice", timedelta(hours=5))
    first = await stack.plan(await stack.write_change(post, due=datetime.now(UTC) + timedelta(hours=1)))
    later = datetime.now(UTC) + timedelta(hours=9)
    await stack.change(post, due=later)
    await stack.workflows.update_plan(first)
    assert (await handle.query("status"))["due_at"].startswith(f"{later:%Y-%m-%dT%H:%M:%S}")
    await stack.delete(post)


@pytest.mark.thorough
async def test_a_run_with_an_older_plan_waits_for_the_time_of_the_row(stack: Stack) -> None:
    """As after a restore of Temporal from an older copy, or if the notification of the change is lost."""
    post, handle = await asleep(stack, "moved behind its back", SOON)
    due = datetime.now(UTC) + timedelta(seconds=6)
    await stack.write_change(post, due=due, content="moved behind its back, with other words")
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert await stack.public("moved behind its back") == []
    (public,) = await stack.public("moved behind its back, with other words")
    assert datetime.fromisoformat(public["createdAt"]) >= due - timedelta(milliseconds=5)
    await comes_to(handle, "Open for edits")
    assert len(await events(handle, "timer_started_event_attributes")) == 3, "two sleeps, then open for edits"


async def test_a_run_with_an_older_plan_publishes_to_the_targets_of_the_row(stack: Stack) -> None:
    """If the row no longer has one of the targets, the other targets are still published."""
    post = await stack.save("other targets", [stack.accounts["plain"], stack.accounts["twitter"]], due_in=SOON)
    await comes_to(await stack.start(post), "Sleeping")
    row = await stack.read(post.id)
    async with stack.database.transaction() as session:
        await session.execute(delete(Target).where(Target.id == row.targets[0].id))
        await session.execute(update(Post).where(Post.id == post.id).values(version=Post.version + 1))
    settled = await stack.settled(post.id)
    assert [(target.id, target.status) for target in settled.targets] == [(row.targets[1].id, TargetStatus.PUBLISHED)]


@pytest.mark.parametrize(("status", "due_in_s"), [(PostStatus.SCHEDULED, 4), (PostStatus.PUBLISHING, 20)])
async def test_a_post_that_is_not_due_by_the_workers_clock_is_waited_for(
    stack: Stack, status: PostStatus, due_in_s: int
) -> None:
    """Temporal's clock is ahead of the worker's; a post that is published now is sent all the same."""
    text = f"by two clocks, {status}"
    post = await stack.save(text, [stack.accounts["plain"]], due_in=timedelta(seconds=due_in_s))
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(status=status))
    plan = await stack.plan(await stack.read(post.id))
    began = datetime.now(UTC)
    await stack.workflows.start(plan.model_copy(update={"due_at": plan.due_at - timedelta(seconds=due_in_s - 1)}))
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    (public,) = await stack.public(text)
    waited_s = (datetime.fromisoformat(public["createdAt"]) - began).total_seconds()
    assert (waited_s >= due_in_s - 0.5) == (status == PostStatus.SCHEDULED)


async def test_publish_now_starts_no_timer(stack: Stack) -> None:
    post = await stack.save("the api is ahead", [stack.accounts["instagram"]], media=["https://example.com/a.jpg"])
    async with stack.database.transaction() as session:
        ahead = datetime.now(UTC) + timedelta(seconds=5)
        for model, key in ((Post, Post.id), (Target, Target.post_id)):
            await session.execute(update(model).where(key == post.id).values(due_at=ahead))
    handle = await stack.start(await stack.read(post.id))
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    await handle.result()
    assert await events(handle, "timer_started_event_attributes") == []


async def test_a_change_to_publish_now_is_published_within_the_workflows_task(stack: Stack) -> None:
    post, handle = await asleep(stack, "now after all", timedelta(hours=5))
    async with stack.database.transaction() as session:
        row = await lock_post(session, post.id)
        assert row
        row.status, row.version, row.due_at = PostStatus.PUBLISHING, row.version + 1, datetime.now(UTC)
    await stack.deliver(await stack.read(post.id))
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    await comes_to(handle, "Open for edits")
    assert await events(handle, "activity_task_scheduled_event_attributes") == []


@pytest.mark.parametrize("change", ["draft", "later"])
async def test_change_during_a_row_read_is_not_overwritten(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    gate, has_read = asyncio.Event(), asyncio.Event()

    class Slow(PostActivities):
        @activity.defn(name="read_plan")
        async def read_plan(self, command: PostCommand) -> Plan | Unscheduled | None:
            plan = await super().read_plan(command)
            has_read.set()
            await gate.wait()
            return plan

    monkeypatch.setattr("workflows.client.post_workflows.POSTS_QUEUE", f"posts-slow-{change}")
    monkeypatch.setattr("activities.options.POSTS_QUEUE", f"posts-slow-{change}")
    text, posts = f"read too early: {change}", Slow(stack.worker_database)
    post = await stack.save(text, [stack.accounts["plain"]], due_in=SOON)
    activities = [posts.read_plan, posts.reopen, posts.write_off, posts.give_up, leave]
    async with Worker(
        stack.client, task_queue=f"posts-slow-{change}", workflows=[PostWorkflow], activities=activities, **UNCACHED
    ):
        await comes_to(await stack.start(post), "Sleeping")
        later = datetime.now(UTC) + timedelta(hours=1)
        await stack.write_change(post, due=None if change == "draft" else later, draft=change == "draft")
        async with asyncio.timeout(60):
            await has_read.wait()
        await stack.change(post, due=datetime.now(UTC) + timedelta(seconds=1))
        gate.set()
        assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public(text)) == 1


# -- another post under the same workflow id -------------------------------------------------------------------------


async def lost_and_repeated(stack: Stack, text: str, key: str, due_in: timedelta | None) -> tuple[Post, Post, Handle]:
    """Save a post under a key, start it, lose its rows, and save the repeated request."""
    name, account = workflow_id(stack.workspace_id, "", key), await stack.connect("twitter")

    async def save() -> Post:
        post = await stack.save(text, [account], due_in=due_in)
        async with stack.database.transaction() as session:
            await session.execute(update(Post).where(Post.id == post.id).values(workflow_id=name))
        return await stack.read(post.id)

    first = await save()
    handle = await stack.start(first)
    if due_in is None:
        await stack.settled(first.id)
        await comes_to(handle, "Open for edits")
    else:
        await comes_to(handle, "Sleeping")
    async with stack.database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == first.id))
    return first, await save(), handle


@pytest.mark.usefixtures("quick_confirms")
@pytest.mark.thorough
async def test_run_of_a_lost_post_is_not_taken_for_its_repetition(stack: Stack) -> None:
    first, again, handle = await lost_and_repeated(stack, "lost asleep", "lost-asleep", SOON)
    await stack.deliver(again)
    settled = await stack.settled(again.id)
    assert settled.status == PostStatus.PUBLISHED
    assert settled.workflow_id == workflow_id(stack.workspace_id, "", "lost-asleep", 2)
    assert len(await stack.public("lost asleep")) == 1
    assert StatusView.model_validate(await handle.result()).post_id == first.id


@pytest.mark.parametrize("ended", [False, True])
async def test_publications_of_lost_rows_are_confirmed_before_a_send(stack: Stack, *, ended: bool) -> None:
    text = f"lost once public {ended}"
    _, again, handle = await lost_and_repeated(stack, text, f"lost-public-{ended}", None)
    if ended:
        await handle.terminate()
    await stack.deliver(again)
    settled = await stack.settled(again.id)
    (public,) = await stack.public(text)
    assert (settled.status, settled.targets[0].platform_post_id) == (PostStatus.PUBLISHED, public["platformPostId"])
