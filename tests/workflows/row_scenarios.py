"""Scenarios in which a post's row changes or its workflow is lost, and the other must follow."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from activities import options, posts
from activities.step_results import StepResults
from domain.pauses import WORKSPACE_GATE, MissedPolicy, account_gate
from domain.plan import Plan, Unscheduled
from store.models import Post, Target
from store.pauses.pauses import end_pause
from store.posts.delivery import read_plan
from tests.stack import Stack
from tests.workflows.pausing import begin, resume
from tests.workflows.scenarios import (
    PICTURE,
    WORDS,
    Handle,
    begun,
    comes_to,
    has_status,
    scenario,
)


@scenario
async def changed_before_its_hold_is_known(stack: Stack) -> Handle:
    """The row says that the post is held, and is changed, before the workflow receives the result of the step."""
    settled, slept = StepResults.settle_and_log, asyncio.Event()

    async def settle_late(*arguments: Any, **more: Any) -> Any:
        outcome = await settled(*arguments, **more)
        if not slept.is_set():
            slept.set()
            await asyncio.sleep(4)
        return outcome

    with patch.object(StepResults, "settle_and_log", settle_late):
        post = await stack.save(f"{WORDS} a door that shuts", [await stack.revoked("twitter")])
        handle = await stack.start(post)
        await slept.wait()
        held = await stack.read(post.id)
        await stack.change(held, due=datetime.now(UTC) + timedelta(seconds=11), content=f"{WORDS} a door that opens")
        await comes_to(handle, "Sleeping")
        await comes_to(handle, "Held")
    await stack.delete(await stack.read(post.id))
    return await comes_to(handle, "Deleted")


@scenario
async def retried_in_a_fresh_run(stack: Stack) -> Handle:
    await stack.fault("twitter", "reject", "publish", status=403)
    post = await stack.save(f"{WORDS} another day", [stack.accounts["plain"]])
    handle = await comes_to(await stack.start(post), "Open for a retry")
    await handle.terminate()
    await stack.retry(await stack.read(post.id))
    return await comes_to(handle, "Open for edits")


@scenario
async def recovered_while_unconfirmed(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503)
    post = await stack.save(f"{WORDS} a lost thread", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await has_status(handle, 0, "unconfirmed")
    await handle.terminate()
    await stack.start(await stack.read(post.id))
    return await comes_to(handle, "Open for edits")


@scenario
async def started_by_a_release(stack: Stack) -> Handle:
    account = await stack.revoked("twitter")
    post = await stack.save(f"{WORDS} a lost key", [account])
    handle = await comes_to(await stack.start(post), "Held")
    await handle.terminate()
    held = await stack.plan(await stack.read(post.id))
    await stack.reconnect(account)
    await stack.workflows.release(held)
    return await comes_to(handle, "Open for edits")


@scenario
async def started_with_the_plan_of_a_post_that_was_held(stack: Stack) -> Handle:
    account = await stack.revoked("linkedin")
    post = await stack.save(f"{WORDS} a late letter", [account])
    handle = await comes_to(await stack.start(post), "Held")
    held = await stack.plan(await stack.read(post.id))
    await stack.reconnect(account)
    await handle.signal("release")
    await handle.result()
    await stack.workflows.update_plan(held)
    await stack.client.get_workflow_handle(post.workflow_id).result()
    return handle


@scenario
async def resolved_in_a_fresh_run(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=50)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(f"{WORDS} a late witness", accounts, media=PICTURE)
    handle = await stack.start(post)
    await has_status(handle, 0, "published")
    await has_status(handle, 1, "unconfirmed")
    await handle.cancel()
    await comes_to(handle, "Cancelled")
    rests = await stack.read(post.id)
    await stack.resolve(rests, "1234567891", published=True, target=1)
    return await comes_to(handle, "Done")


@scenario
async def row_deleted_while_sleeping(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a ghost", [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    handle = await stack.start(post)
    async with stack.database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == post.id))
    await handle.result()
    return handle


@scenario
async def row_older_than_its_run(stack: Stack) -> Handle:
    """Its row is restored from a backup."""
    post = await stack.save(f"{WORDS} an older world", [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    handle = await stack.start(post)
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(version=0))
    return await comes_to(handle, "Ended")


@scenario
async def row_changed_while_sleeping(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a stranger", [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    handle = await stack.start(post)
    await stack.write_change(post, due=datetime.now(UTC) + timedelta(seconds=3), content=f"{WORDS} a friend")
    return await comes_to(handle, "Open for edits")


@scenario
async def updated_while_its_row_is_read(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} two messengers", [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    handle, gate, has_read = await stack.start(post), asyncio.Event(), asyncio.Event()

    async def slowly(session: AsyncSession, post_id: str) -> Plan | Unscheduled | None:
        plan = await read_plan(session, post_id)
        has_read.set()
        await gate.wait()
        return plan

    with patch.object(posts, "read_plan", slowly):
        await stack.write_change(post, due=datetime.now(UTC) + timedelta(seconds=3))
        await has_read.wait()
        await stack.change(post, due=datetime.now(UTC) + timedelta(seconds=4))
        gate.set()
        return await comes_to(handle, "Open for edits")


@scenario
async def not_due_by_the_workers_clock(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} two clocks", [stack.accounts["plain"]], due_in=timedelta(seconds=6))
    plan = await stack.plan(post)
    await stack.workflows.start(plan.model_copy(update={"due_at": plan.due_at - timedelta(seconds=5)}))
    return await comes_to(stack.client.get_workflow_handle(post.workflow_id), "Open for edits")


@scenario
async def given_an_older_plan(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} old news", [stack.accounts["plain"]], due_in=timedelta(seconds=4))
    handle = await stack.start(post)
    changed = await stack.change(post, due=datetime.now(UTC) + timedelta(seconds=3))
    await stack.workflows.unschedule(post.workflow_id, post.id, post.version)
    await stack.deliver(changed)
    return await comes_to(handle, "Open for edits")


@scenario
async def reopened_before_its_failure_is_known(stack: Stack) -> Handle:
    await stack.fault("twitter", "reject", "publish", status=403, hold=8)
    post = await stack.save(f"{WORDS} an early bird", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await begun(handle, "publish")
    await asyncio.sleep(1)
    async with stack.database.transaction() as session:
        await session.execute(update(Target).where(Target.post_id == post.id).values(status="failed"))
        await session.execute(update(Post).where(Post.id == post.id).values(status="failed"))
    await stack.retry(await stack.read(post.id))
    return await comes_to(handle, "Open for a retry")


@scenario
async def held_by_a_pause_and_resumed(stack: Stack) -> Handle:
    pause = await begin(stack, WORKSPACE_GATE)
    post = await stack.save(f"{WORDS} a closed gate", [stack.accounts["twitter"]])
    handle = await comes_to(await stack.start(post), "Held until the pause")
    await resume(stack, pause)
    return await comes_to(handle, "Open for edits")


@scenario
async def held_by_a_pause_and_skipped(stack: Stack) -> Handle:
    pause = await begin(stack, WORKSPACE_GATE)
    post = await stack.save(f"{WORDS} a gate that stayed closed", [stack.accounts["twitter"]])
    handle = await comes_to(await stack.start(post), "Held until the pause")
    await resume(stack, pause, MissedPolicy.SKIP)
    draft = await stack.read(post.id)
    await stack.workflows.unschedule(draft.workflow_id, draft.id, draft.version)
    return await comes_to(handle, "Taken off")


@scenario
async def held_by_a_pause_and_shifted(stack: Stack) -> Handle:
    """The post moves by a day, and sleeps until its new time."""
    pause = await begin(stack, WORKSPACE_GATE)
    post = await stack.save(f"{WORDS} another morning", [stack.accounts["twitter"]], due_in=timedelta(seconds=1))
    async with stack.database.transaction() as session:
        # As the API saves it.
        await session.execute(update(Post).where(Post.id == post.id).values(scheduled_for=post.due_at))
    handle = await comes_to(await stack.start(await stack.read(post.id)), "Held until the pause")
    await resume(stack, pause, MissedPolicy.SHIFT)
    await stack.deliver(await stack.read(post.id))
    await comes_to(handle, "Sleeping")
    await stack.delete(await stack.read(post.id))
    return await comes_to(handle, "Deleted")


@scenario
async def half_held_by_a_pause(stack: Stack) -> Handle:
    """One of two targets is held, and continues after the pause while the other is public already."""
    account = stack.accounts["twitter"]
    pause = await begin(stack, account_gate("twitter", account.id))
    post = await stack.save(f"{WORDS} half a closed gate", [account, stack.accounts["plain"]])
    handle = await stack.start(post)
    await has_status(handle, 1, "published")
    await has_status(handle, 0, "held")
    await resume(stack, pause)
    await stack.deliver(await stack.read(post.id))
    return await comes_to(handle, "Open for edits")


@scenario
async def told_of_a_shift_late(stack: Stack) -> Handle:
    """The row moved to a later time, and the workflow wakes at the old one without a message."""
    post = await stack.save(f"{WORDS} a later bell", [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    handle = await stack.start(post)
    moved = datetime.now(UTC) + timedelta(seconds=6)
    async with stack.database.transaction() as session:
        values = {"due_at": moved, "version": Post.version + 1}
        await session.execute(update(Post).where(Post.id == post.id).values(values))
        await session.execute(update(Target).where(Target.post_id == post.id).values(due_at=moved))
    return await comes_to(handle, "Open for edits")


@scenario
async def held_past_its_window(stack: Stack) -> Handle:
    """The time to publish passes during the pause, and begins again when the pause ends."""
    pause = await begin(stack, WORKSPACE_GATE)
    post = await stack.save(f"{WORDS} a long pause", [stack.accounts["twitter"]])
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    async with stack.database.transaction() as session:
        values = {"publish_within": 60, "due_at": long_ago}
        await session.execute(update(Post).where(Post.id == post.id).values(**values))
        await session.execute(update(Target).where(Target.post_id == post.id).values(due_at=long_ago))
    handle = await comes_to(await stack.start(await stack.read(post.id)), "Held until the pause")
    await resume(stack, pause)
    return await comes_to(handle, "Open for edits")


@scenario
async def held_for_days(stack: Stack) -> Handle:
    """The message that ends the wait is lost, so the step reads the gate when a day has passed."""
    with patch.object(options, "RECHECK_PAUSE", timedelta(seconds=2)):
        pause = await begin(stack, WORKSPACE_GATE)
        post = await stack.save(f"{WORDS} days of silence", [stack.accounts["twitter"]])
        handle = await comes_to(await stack.start(post), "Held until the pause")
        await asyncio.sleep(5)
        async with stack.api_database.transaction() as session:
            merged = await session.merge(pause)
            await end_pause(session, merged, MissedPolicy.PUBLISH, timedelta(0), await stack.actor())
        return await comes_to(handle, "Open for edits")


@scenario
async def resumed_before_its_hold_is_known(stack: Stack) -> Handle:
    """The row says that a pause holds the post, and the pause ends, before the workflow receives the step's result."""
    settled, slept = StepResults.settle, asyncio.Event()

    async def settle_late(*arguments: Any, **more: Any) -> Any:
        outcome = await settled(*arguments, **more)
        if not slept.is_set():
            slept.set()
            await asyncio.sleep(3)
        return outcome

    with patch.object(StepResults, "settle", settle_late):
        pause = await begin(stack, WORKSPACE_GATE)
        post = await stack.save(f"{WORDS} a short pause", [stack.accounts["twitter"]])
        handle = await stack.start(post)
        await slept.wait()
        await resume(stack, pause)
        return await comes_to(handle, "Open for edits")
