"""Posts sleep while a deploy replaces the code of their workflow."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from domain.post import PostStatus
from reconcile.recovery import Recovery
from store.models import Post
from store.posts.delivery import record_delivered
from tests.stack import Stack
from tests.workflows.changed import PATCH, Broken, Gated, Ungated
from tests.workflows.scenarios import comes_to
from tests.workflows.workers import UNCACHED, posts_worker
from workflows.client.runs import Runs
from workflows.post import PostWorkflow

NONDETERMINISM = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR


async def asleep(stack: Stack, words: str, due_in: timedelta) -> Post:
    post = await stack.save(words, [stack.accounts["plain"]], due_in=due_in)
    await comes_to(await stack.start(post), "Sleeping")
    return post


async def passed_patches(stack: Stack, post: Post) -> list[str]:
    """Return the gated changes that a post's workflow has passed."""
    history = await stack.client.get_workflow_handle(post.workflow_id).fetch_history()
    markers = [event.marker_recorded_event_attributes for event in history.events]
    details = [marker.details["patch-data"] for marker in markers if marker.marker_name == "core_patch"]
    return [payload.data.decode() for detail in details for payload in detail.payloads]


async def tasks_fail(runs: Runs, post: Post) -> None:
    """Wait until the visibility store lists that the tasks of a post's workflow fail."""
    async with asyncio.timeout(60):
        while not any(run.tasks_fail for run in await runs.running_among([post.workflow_id])):  # noqa: ASYNC110 no event
            await asyncio.sleep(0.1)


async def task_failures(handle: WorkflowHandle[Any, Any]) -> list[int]:
    """Return the failures of a workflow's tasks."""
    history = await handle.fetch_history()
    return [event.workflow_task_failed_event_attributes.cause for event in history.events]


async def test_sleeping_post_keeps_old_code_and_a_new_one_gets_new_code(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with posts_worker(stack, monkeypatch, "posts-changed", PostWorkflow, **UNCACHED):
        old = await asleep(stack, "older than the change", timedelta(seconds=5))
    async with posts_worker(stack, monkeypatch, "posts-changed", Gated, **UNCACHED):
        new = await asleep(stack, "younger than the change", timedelta(seconds=3))
        for post, words in ((old, "older than the change"), (new, "younger than the change")):
            assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
            assert len(await stack.public(words)) == 1
            await comes_to(stack.client.get_workflow_handle(post.workflow_id), "Open for edits")
    assert await passed_patches(stack, old) == []
    assert sum(PATCH in patch for patch in await passed_patches(stack, new)) == 1


@pytest.mark.thorough
async def test_incompatible_code_delays_posts_until_compatible_code_is_deployed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "older than the mistake"
    async with posts_worker(stack, monkeypatch, "posts-mistaken", PostWorkflow, **UNCACHED):
        post = await asleep(stack, words, timedelta(seconds=2))
    async with posts_worker(stack, monkeypatch, "posts-mistaken", Ungated, **UNCACHED):
        handle = stack.client.get_workflow_handle(post.workflow_id)
        async with asyncio.timeout(60):
            while NONDETERMINISM not in await task_failures(handle):  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.1)
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        assert (await stack.read(post.id)).status == PostStatus.SCHEDULED
        assert await stack.public(words) == []
    async with posts_worker(stack, monkeypatch, "posts-mistaken", Gated, **UNCACHED):
        assert (await stack.settled(post.id, 60)).status == PostStatus.PUBLISHED
    assert len(await stack.public(words)) == 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("began_with", "continues_with"),
    [(Ungated, PostWorkflow), (PostWorkflow, Ungated)],
    ids=["a deployment is taken back", "a deployment does not fit sleeping posts"],
)
async def test_a_new_worker_begins_posts_again_that_other_code_has_begun(
    began_with: type, continues_with: type, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, runs = f"begun with {began_with.__name__}", Runs(stack.client)
    async with posts_worker(stack, monkeypatch, "posts-taken-back", began_with, **UNCACHED):
        post = await asleep(stack, words, timedelta(seconds=2))
        async with stack.database.transaction() as session:
            await record_delivered(session, {post.id: post.version})
    async with posts_worker(stack, monkeypatch, "posts-taken-back", continues_with, **UNCACHED):
        await tasks_fail(runs, post)
        assert await stack.public(words) == []
        recovery = Recovery(stack.worker_database, stack.workflows, runs)
        assert await recovery.round(datetime(1970, 1, 1, tzinfo=UTC), datetime.now(UTC)) >= 1
        assert (await stack.settled(post.id, 20)).status == PostStatus.PUBLISHED
    assert len(await stack.public(words)) == 1


@pytest.mark.thorough
async def test_a_worker_with_a_bug_begins_a_post_again_only_once(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    words, runs = "never begun by such code", Runs(stack.client)
    async with posts_worker(stack, monkeypatch, "posts-buggy", Broken, **UNCACHED):
        post = await stack.save(words, [stack.accounts["plain"]])
        await stack.start(post)
        async with stack.database.transaction() as session:
            await record_delivered(session, {post.id: post.version})
        recovery = Recovery(stack.worker_database, stack.workflows, runs)
        begun_again = 0
        for _ in range(2):
            await tasks_fail(runs, post)
            with capture_logs() as lines:
                await recovery.round(datetime(1970, 1, 1, tzinfo=UTC), datetime.now(UTC))
            begun_again += sum(line.get("post_id") == post.id for line in lines)
        assert begun_again == 1
    async with posts_worker(stack, monkeypatch, "posts-buggy", PostWorkflow, **UNCACHED):
        new_worker = Recovery(stack.worker_database, stack.workflows, runs)
        await new_worker.round(datetime(1970, 1, 1, tzinfo=UTC), datetime.now(UTC))
        assert (await stack.settled(post.id, 20)).status == PostStatus.PUBLISHED
    assert len(await stack.public(words)) == 1
