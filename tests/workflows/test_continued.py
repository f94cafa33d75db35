"""Workflows with long histories continue as a new run, with their whole state, and nothing is done twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import SearchAttributePair

from domain.post import PostStatus, TargetStatus
from reconcile.recovery import Recovery
from runtime import worker
from runtime.parts import open_parts
from store.models import Attempt, Post
from store.posts.delivery import record_delivered
from store.publishing.targets import list_attempts
from tests.running import running_stack
from tests.stack import Stack
from tests.temporal import SEARCH_ATTRIBUTES, temporal_server
from tests.workflows.resets import reset
from tests.workflows.waiting import until
from workflows.client.runs import Runs
from workflows.messages import StatusView
from workflows.post import PostWorkflow
from workflows.search_attributes import DUE_AT, POST_STATUS

LONGEST_HISTORY = 40
"""The number of events from which this file's server suggests to continue as new."""


@pytest.fixture(scope="module")
async def impatient(postgres_url: str) -> AsyncIterator[Stack]:
    """Run the product on a Temporal that soon suggests to continue as new."""
    async with (
        temporal_server(longest_history=LONGEST_HISTORY) as environment,
        running_stack(postgres_url, environment) as running,
        open_parts(running.settings, running.worker_database) as parts,
        worker.running_workers(running.client, parts),
    ):
        yield running


@pytest.fixture
async def stack(impatient: Stack) -> AsyncIterator[Stack]:
    yield impatient
    await impatient.clear_faults()


async def list_runs(stack: Stack, post: Post) -> list[WorkflowExecution]:
    """Return a post's runs, the first one first."""
    executions = [workflow async for workflow in stack.client.list_workflows(f"WorkflowId = '{post.workflow_id}'")]
    return sorted(executions, key=lambda execution: execution.start_time)


async def sent_steps(stack: Stack, post: Post) -> Counter[str]:
    """Count the steps that send requests to platforms, over all runs of a post."""
    steps: Counter[str] = Counter()
    for run in await list_runs(stack, post):
        history = await stack.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        scheduled = [event.activity_task_scheduled_event_attributes for event in history.events]
        steps.update(step.activity_type.name for step in scheduled if step.activity_id)
        # Of these steps, only `publish` runs within the workflow's task.
        steps["publish"] += sum(event.HasField("marker_recorded_event_attributes") for event in history.events)
    return steps


async def continued(stack: Stack, post: Post, times: int = 1) -> bool:
    """Return whether a post's workflow has continued as new at least so often, and has no other runs."""
    *earlier, last = await list_runs(stack, post)
    if any(execution.status is WorkflowExecutionStatus.RUNNING for execution in earlier):
        # The visibility store learns of the end of a run a moment late.
        return False
    assert {execution.status for execution in earlier} <= {WorkflowExecutionStatus.CONTINUED_AS_NEW}
    assert last.status in {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW}
    return len(earlier) >= times


async def comes_to(handle: WorkflowHandle[Any, Any], waiting_for: str) -> StatusView:
    async with asyncio.timeout(60):
        while not (view := await handle.query(PostWorkflow.status)).waiting_for.startswith(waiting_for):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    return view


async def move(stack: Stack, post: Post, due: datetime) -> None:
    await stack.change(post, due=due)


@pytest.mark.thorough
async def test_often_rescheduled_post_is_published_once_at_its_time(stack: Stack) -> None:
    post = await stack.save("moved", [stack.accounts["plain"]], due_in=timedelta(hours=5), tags=["often"])
    handle = await stack.start(post)
    before = await handle.describe()
    for hours in range(30):
        await move(stack, post, datetime.now(UTC) + timedelta(hours=hours + 6))
    due = (datetime.now(UTC) + timedelta(seconds=8)).replace(microsecond=0)
    await move(stack, post, due)
    view = await comes_to(handle, "Sleeping until")
    assert (view.status, view.due_at) == (PostStatus.SCHEDULED, due)
    await stack.settled(post.id)
    (public,) = await stack.public("moved")
    assert timedelta(0) <= datetime.fromisoformat(public["createdAt"]) - due < timedelta(seconds=10)
    assert (await comes_to(handle, "Open for edits")).status == PostStatus.PUBLISHED
    assert await continued(stack, post, times=4)
    after = await handle.describe()
    assert after.raw_info.first_run_id == before.run_id
    attributes = before.typed_search_attributes.updated(
        SearchAttributePair(POST_STATUS, "published"), SearchAttributePair(DUE_AT, due)
    )
    assert {key: after.typed_search_attributes.get(key) for key in SEARCH_ATTRIBUTES} == {
        key: attributes.get(key) for key in SEARCH_ATTRIBUTES
    }
    assert after.raw_info.priority == before.raw_info.priority


async def test_no_change_is_lost_between_two_runs(stack: Stack) -> None:
    post = await stack.save("changed by many", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await stack.start(post)
    first = await handle.describe()

    async def change(client: int) -> None:
        for number in range(6):
            await move(stack, post, datetime.now(UTC) + timedelta(hours=5, minutes=10 * client + number))
            await handle.signal("release")
            await stack.start(post)

    await asyncio.gather(*(change(client) for client in range(6)))
    assert (await stack.read(post.id)).version == 1 + 36
    assert await continued(stack, post, times=1)
    assert (await comes_to(handle, "Sleeping until")).due_at == (await stack.read(post.id)).due_at
    assert (await handle.describe()).raw_info.first_run_id == first.run_id
    await stack.delete(post)


@pytest.mark.thorough
async def test_prepared_target_is_not_prepared_again(stack: Stack) -> None:
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(
        "prepared once", accounts, due_in=timedelta(seconds=6), media=["https://example.com/once.jpg"]
    )
    handle = await stack.start(post)

    async def prepared() -> bool:
        async with stack.database.transaction() as session:
            return "prepare" in [attempt.step for attempt, _ in await list_attempts(session, post.id)]

    await until(prepared)

    async def continued_after_wake_ups() -> bool:
        await handle.signal("release")
        await handle.query("status")
        return await continued(stack, post)

    await until(continued_after_wake_ups)
    await stack.settled(post.id)
    assert len(await stack.public("prepared once")) == 2
    assert await sent_steps(stack, post) == {"prepare": 2, "publish": 2}


async def test_often_failing_post_is_published_once(stack: Stack) -> None:
    await stack.fault("twitter", "reject", "publish", status=403, times=6)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.publish("refused often", accounts, media=["https://example.com/often.jpg"])
    handle = stack.client.get_workflow_handle(post.workflow_id)
    for _ in range(5):
        await stack.retry(await stack.settled(post.id))
    assert (await stack.settled(post.id)).status == PostStatus.PARTIAL
    view = await comes_to(handle, "Open for a retry until")
    await handle.signal("release")
    await until(lambda: continued(stack, post))
    assert await comes_to(handle, "Open for a retry until") == view
    await handle.signal("retry")
    assert (await comes_to(handle, "Open for edits until")).status == PostStatus.PUBLISHED
    assert [target.status for target in (await stack.read(post.id)).targets] == [TargetStatus.PUBLISHED] * 2
    assert len(await stack.public("refused often")) == 2


async def test_held_post_stays_held_until_its_account_works(stack: Stack) -> None:
    account = await stack.revoked("twitter")
    post = await stack.save("held for long", [account, stack.accounts["plain"]])
    handle = await stack.start(post)
    view = await comes_to(handle, "Held")

    async def continued_after_releases() -> bool:
        await handle.signal("release")
        await asyncio.sleep(0.1)
        # No target has failed: the workflow must not wait until one does.
        await handle.signal("retry")
        return await continued(stack, post)

    await until(continued_after_releases)

    async def held_as_before() -> bool:
        return await comes_to(handle, "Held") == view

    await until(held_as_before)
    assert len(await stack.public("held for long")) == 1
    await stack.reconnect(account)
    assert (await comes_to(handle, "Open for edits")).status == PostStatus.PUBLISHED
    assert len(await stack.public("held for long")) == 2


async def test_a_held_post_can_be_deleted_in_its_new_run(stack: Stack) -> None:
    account = await stack.revoked("twitter")
    post = await stack.save("held, then deleted", [account])
    handle = await stack.start(post)
    await comes_to(handle, "Held")

    async def released() -> bool:
        await handle.signal("release")
        await asyncio.sleep(0.1)
        return await continued(stack, post)

    await until(released)
    await stack.delete(post)
    await handle.result()
    assert await stack.public("held, then deleted") == []


@pytest.mark.thorough
async def test_confirming_takes_no_longer_and_is_tried_no_more_often(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = tuple(timedelta(seconds=seconds) for seconds in (1, 1, 1, 1, 2, 2, 2, 2))
    monkeypatch.setattr("workflows.steps.options.FIRST_CONFIRM_WAITS", waits)
    monkeypatch.setattr("workflows.steps.options.CONFIRM_WITHIN", timedelta(seconds=8))
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=50)
    post = await stack.publish("looked for", [stack.accounts["plain"]])
    (target,) = post.targets
    assert (post.status, target.status, target.confirming) == (PostStatus.PARTIAL, TargetStatus.UNCONFIRMED, False)
    await until(lambda: continued(stack, post))
    async with stack.database.transaction() as session:
        confirms = await session.scalars(
            select(Attempt).where(Attempt.target_id == target.id, Attempt.step == "confirm").order_by(Attempt.id)
        )
        pauses = [
            round((confirm.next_attempt_at - confirm.finished_at).total_seconds())
            for confirm in confirms
            if confirm.next_attempt_at and confirm.finished_at
        ]
    assert 4 <= len(pauses) <= 6, "a run that began to count again would try a seventh time"
    assert pauses == [wait.total_seconds() for wait in waits[1 : len(pauses) + 1]]
    await stack.clear_faults()
    await stack.retry(post)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("looked for")) == 1


async def test_a_post_can_be_edited_in_its_new_run(stack: Stack) -> None:
    post = await stack.publish("edited 0", [stack.accounts["twitter"]])
    handle = stack.client.get_workflow_handle(post.workflow_id)
    view = await comes_to(handle, "Open for edits")
    # The number of events of an edit depends on how its tasks meet. Five are enough in any case, and X takes no more.
    for number in range(1, 6):
        revision_id = await stack.new_text(post, f"edited {number}")
        await stack.workflows.edit(await stack.plan(post), revision_id)

        async def shown(number: int = number) -> bool:
            return (await stack.read(post.id)).targets[0].edited_content == f"edited {number}"

        await until(shown)
    await until(lambda: continued(stack, post))
    again = await comes_to(handle, "Open for edits")
    assert again.waiting_for == view.waiting_for
    assert again.targets[0].platform_post_id == (await stack.read(post.id)).targets[0].platform_post_id


async def test_recovery_restarts_only_lost_continued_runs(stack: Stack) -> None:
    recovery = Recovery(stack.worker_database, stack.workflows, Runs(stack.client))
    post = await stack.save("continued, then lost", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await stack.start(post)
    async with stack.database.transaction() as session:
        await record_delivered(session, {post.id: post.version})
    for minutes in range(8):
        await move(stack, post, datetime.now(UTC) + timedelta(minutes=minutes + 9))
    await until(lambda: continued(stack, post))
    always, soon = datetime(1970, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(hours=1)
    assert await recovery.round(always, soon) == 0
    await handle.terminate(reason="by mistake")
    assert await recovery.round(always, soon) == 1
    await move(stack, post, datetime.now(UTC) + timedelta(seconds=1))
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("continued, then lost")) == 1


async def test_a_run_that_was_continued_may_be_reset_once_the_post_is_public(stack: Stack) -> None:
    post = await stack.save("continued, then reset", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await stack.start(post)
    for minutes in range(6):
        await move(stack, post, datetime.now(UTC) + timedelta(minutes=minutes + 9))
    await move(stack, post, datetime.now(UTC) + timedelta(seconds=1))
    await comes_to(handle, "Open for edits")
    first, *_ = await list_runs(stack, post)
    assert first.status is WorkflowExecutionStatus.CONTINUED_AS_NEW
    await reset(stack, handle, "--run-id", first.run_id)
    async with asyncio.timeout(60):
        while (await handle.query(PostWorkflow.status)).status != PostStatus.PUBLISHED:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    assert (await stack.read(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("continued, then reset")) == 1
