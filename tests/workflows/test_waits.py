"""The search attribute WaitsFor of a post."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from activities import errors
from domain.post import TargetStatus
from store.maintenance.waiting import target_waits_for
from store.models import Attempt, Post
from tests.before_due import before_due
from tests.stack import Stack
from workflows.post import PostWorkflow
from workflows.search_attributes import POST_STATUS, WAITS_FOR


async def attribute(handle: WorkflowHandle[PostWorkflow, object]) -> str | None:
    return (await handle.describe()).typed_search_attributes.get(WAITS_FOR)


async def becomes(handle: WorkflowHandle[PostWorkflow, object], value: str | None) -> None:
    async with asyncio.timeout(60):
        while await attribute(handle) != value:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)


async def test_a_held_post_is_found_until_it_is_published(stack: Stack) -> None:
    account = await stack.revoked("twitter")
    post = await stack.save("found while held", [account])
    handle = await stack.start(post)
    assert await attribute(handle) is None
    await becomes(handle, "account")
    await stack.reconnect(account)
    await stack.settled(post.id)
    await becomes(handle, None)


async def test_a_post_that_needs_a_person_is_found_even_if_another_target_is_held(stack: Stack) -> None:
    await stack.fault("telegram", "accept_then_drop", "publish")
    accounts = [await stack.connect("telegram"), await stack.revoked("twitter")]
    post = await stack.save("a person and an account", accounts)
    handle = await stack.start(post)
    await becomes(handle, "person")
    statuses = {target.platform: target.status for target in (await stack.read(post.id)).targets}
    assert statuses == {"telegram": TargetStatus.UNCONFIRMED, "twitter": TargetStatus.HELD}


async def test_untroubled_post_never_writes_the_attribute(stack: Stack) -> None:
    post = await stack.publish("no trouble", [stack.accounts["plain"]])
    history = await stack.client.get_workflow_handle(post.workflow_id).fetch_history()
    assert all(WAITS_FOR.name not in str(event) for event in history.events)


async def ask_status(handle: WorkflowHandle[PostWorkflow, object]) -> str | None:
    return (await handle.describe()).typed_search_attributes.get(POST_STATUS)


async def ends_as(handle: WorkflowHandle[PostWorkflow, object], status: str) -> None:
    async with asyncio.timeout(60):
        while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    assert await ask_status(handle) == status


async def ask_details(handle: WorkflowHandle[PostWorkflow, object]) -> str:
    metadata: WorkflowMetadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


async def test_temporarily_refused_post_is_found_and_retried_by_signal(stack: Stack) -> None:
    await stack.fault("twitter", "rate_limited", "publish", seconds=600)
    post = await stack.save("refused for now", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await becomes(handle, "platform")
    (target,) = (await stack.read(post.id)).targets
    assert (target.status, target.next_attempt_at is not None) == ("publishing", True)
    text = await ask_details(handle)
    assert "**refused for now**: the platform asks to wait (`" in text
    assert "tried again at" in text
    assert (await handle.describe()).raw_description.pending_activities == []
    await handle.signal("retry")
    assert (await stack.settled(post.id)).status == "published"
    await becomes(handle, None)
    assert len(await stack.public("refused for now")) == 1


@pytest.mark.usefixtures("no_read_lag")
async def test_the_waits_between_tries_grow_over_several_steps(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "FIRST_RETRY", timedelta(seconds=20))
    await stack.fault(
        "twitter",
        "reject",
        "publish",
        times=3,
        status=429,
        body={"type": "about:blank", "title": "Too Many", "detail": "Too Many"},
    )
    post = await stack.save("refused again and again", [stack.accounts["plain"]])
    handle, waits = await stack.start(post), list[float]()
    for count in range(1, 4):
        async with asyncio.timeout(60):
            while len(refusals := await list_refusals(stack, post)) < count:  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.05)
        assert refusals[-1].next_attempt_at
        assert refusals[-1].finished_at
        waits.append((refusals[-1].next_attempt_at - refusals[-1].finished_at).total_seconds())
        await is_idle(handle)
        await handle.signal("retry")
    assert (await stack.settled(post.id)).status == "published"
    for wait, usual in zip(waits, (20, 40, 80), strict=True):
        assert 0.75 * usual < wait < 1.25 * usual


async def is_idle(handle: WorkflowHandle[PostWorkflow, object]) -> None:
    """Wait until the workflow waits for a time or a request, and for no step."""
    async with asyncio.timeout(60):
        while True:
            description = (await handle.describe()).raw_description
            if not description.pending_activities and not description.HasField("pending_workflow_task"):
                return
            await asyncio.sleep(0.05)


async def list_refusals(stack: Stack, post: Post) -> list[Attempt]:
    async with stack.database.reading() as session:
        query = select(Attempt).where(Attempt.target_id == post.targets[0].id, Attempt.state == "refused")
        return list(await session.scalars(query.order_by(Attempt.id)))


async def test_a_cancelled_post_ends_as_cancelled(stack: Stack) -> None:
    post = await stack.save("cancelled in time", [stack.accounts["plain"]], due_in=timedelta(hours=1))
    handle = await stack.start(post)
    await handle.cancel()
    await ends_as(handle, "cancelled")
    assert (await stack.read(post.id)).status == "failed"


async def test_cancelled_send_needs_a_person(stack: Stack) -> None:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=50)
    post = await stack.save("cancelled while its answer is awaited", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await becomes(handle, "answer")
    await handle.cancel()
    await ends_as(handle, "cancelled")
    (target,) = (await stack.read(post.id)).targets
    assert (target.status, target.confirming, target_waits_for(target)) == ("unconfirmed", False, "person")
    text = await ask_details(handle)
    assert "**cancelled**" in text
    assert "a person must look at the account" in text


async def test_a_published_post_stays_published_if_its_workflow_is_cancelled(stack: Stack) -> None:
    post = await stack.publish("published, then cancelled", [stack.accounts["plain"]])
    handle: WorkflowHandle[PostWorkflow, object] = stack.client.get_workflow_handle(post.workflow_id)
    await handle.cancel()
    await ends_as(handle, "published")


async def test_a_deleted_post_ends_as_deleted(stack: Stack) -> None:
    post = await stack.save("deleted in time", [stack.accounts["plain"]], due_in=timedelta(hours=1))
    handle = await stack.start(post)
    await stack.delete(post)
    await ends_as(handle, "deleted")
    assert "pending" not in await ask_details(handle)


@pytest.mark.parametrize("deleted", [True, False])
async def test_unwatched_end_has_the_right_status(stack: Stack, *, deleted: bool) -> None:
    async def change(due: datetime) -> WorkflowHandle[PostWorkflow, object]:
        due_in = due - datetime.now(UTC)
        post = await stack.save(f"ends unseen {deleted} at {due}", [stack.accounts["plain"]], due_in=due_in)
        handle = await stack.start(post)
        if deleted:
            async with stack.database.transaction() as session:
                await session.execute(delete(Post).where(Post.id == post.id))
        else:
            await stack.write_change(post, due=None, draft=True)
        return handle

    _, handle = await before_due(change)
    await ends_as(handle, "deleted" if deleted else "draft")
