"""Scenarios of few posts: late failures, actions of operators, lost data, and long histories."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.exceptions import ApplicationError

from activities import local_publish, posts
from activities.publish import Publishing
from domain.content import TargetContent
from domain.plan import Plan, Unscheduled
from store.models import Post, Target
from store.posts.plans import read_plan
from tests.stack import Stack
from tests.workflows.scenarios import PICTURE, REFUSAL, WORDS, Handle, comes_to, scenario, scenario_on
from workflows.messages import EditRequest

SHORT = 25
"""The number of events after which Temporal suggests to continue as new, lower than its default."""


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await true():  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.1)


async def stands(handle: Handle, target: int, status: str) -> None:
    """Wait until the workflow reports this status for one of its targets."""

    async def so() -> bool:
        found: str = (await handle.query("status"))["targets"][target]["status"]
        return found == status

    await until(so)


async def begun(handle: Handle, activity: str) -> str:
    """Wait until a step is running, and return its id."""
    found: list[str] = []

    async def so() -> bool:
        steps = (await handle.describe()).raw_description.pending_activities
        doing = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
        found.extend(each.activity_id for each in steps if each.activity_type.name == activity and each.state == doing)
        return bool(found)

    await until(so)
    return found[0]


async def fails_by_hand(stack: Stack, handle: Handle, activity: str) -> None:
    """Fail a running step as an operator does with `temporal activity fail`."""
    step = stack.client.get_async_activity_handle(
        workflow_id=handle.id, run_id=None, activity_id=await begun(handle, activity)
    )
    await step.fail(ApplicationError("ended by an operator", non_retryable=True))


async def goes_on(handle: Handle, wake: Callable[[], Awaitable[object]]) -> None:
    """Wake a workflow until it has continued as a new run."""
    first = (await handle.describe()).run_id

    async def another_run() -> bool:
        await wake()
        return (await handle.describe()).run_id != first

    await until(another_run)


# -- late failures ---------------------------------------------------------------------------------------------------


@scenario
async def refused_until_stale(stack: Stack) -> Handle:
    await stack.fault("twitter", "rate_limited", "publish", seconds=1, times=50)
    post = await stack.save(f"{WORDS} a busy line", [stack.accounts["plain"]])
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(publish_within=4))
    return await comes_to(await stack.start(await stack.read(post.id)), "Open for a retry")


@scenario_on(hurries=True)
async def unconfirmed_for_a_day(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=50)
    post = await stack.save(f"{WORDS} a riddle", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await handle.result()
    return handle


@scenario
async def unconfirmed_and_a_confirm_ended_by_hand(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, hold=60)
    post = await stack.save(f"{WORDS} a long look", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await fails_by_hand(stack, handle, "confirm")
    return await comes_to(handle, "Open for edits")


@scenario
async def published_and_what_follows_ended_by_hand(stack: Stack) -> Handle:
    await stack.fault("instagram", "rate_limited", "confirm", seconds=1)
    await stack.fault("instagram", "rate_limited", "confirm", hold=60)
    post = await stack.save(f"{WORDS} no address at all", [stack.accounts["instagram"]], media=PICTURE)
    handle = await stack.start(post)
    await fails_by_hand(stack, handle, "complete")
    return await comes_to(handle, "Done")


@scenario
async def edited_in_vain(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a slip that stays", [stack.accounts["twitter"]])
    handle = await comes_to(await stack.start(post), "Open for edits")
    await stack.fault("twitter", "reject", "edit", status=503, hold=60)
    published = await stack.read(post.id)
    revision_id = await stack.new_text(published, f"{WORDS} no slip that stays")
    await stack.workflows.edit(await stack.plan(published), revision_id)
    await fails_by_hand(stack, handle, "edit")
    return await comes_to(handle, "Open for edits")


# -- actions of operators --------------------------------------------------------------------------------------------


@scenario
async def cancelled_while_publishing(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_delay", "publish", seconds=60)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(f"{WORDS} too late", accounts, media=PICTURE)
    handle = await stack.start(post)
    await stands(handle, 0, "published")
    await begun(handle, "publish")
    await handle.cancel()
    return await comes_to(handle, "Cancelled")


@scenario
async def cancelled_before_it_is_tried_again(stack: Stack) -> Handle:
    await stack.fault("twitter", "rate_limited", "publish", seconds=8)
    post = await stack.save(f"{WORDS} a second thought", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await until(lambda: _is_tried_again(handle))
    await handle.cancel()
    return await comes_to(handle, "Cancelled")


@scenario
async def cancelled_while_completing(stack: Stack) -> Handle:
    await stack.fault("instagram", "rate_limited", "confirm", seconds=1)
    await stack.fault("instagram", "rate_limited", "confirm", hold=60)
    post = await stack.save(f"{WORDS} an address too late", [stack.accounts["instagram"]], media=PICTURE)
    handle = await stack.start(post)
    await begun(handle, "complete")
    await handle.cancel()
    return await comes_to(handle, "Cancelled")


@scenario
async def edited_by_signal_twice(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a typo", [stack.accounts["twitter"]])
    handle = await comes_to(await stack.start(post), "Open for edits")
    published = await stack.read(post.id)
    request = EditRequest(revision_id=await stack.new_text(published, f"{WORDS} no typo"))
    await handle.signal("edit", request)
    await handle.signal("edit", request)

    async def edited() -> bool:
        return bool((await stack.read(post.id)).targets[0].edit_history)

    await until(edited)
    return await comes_to(handle, "Open for edits")


@scenario
async def retried_while_confirming(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503)
    post = await stack.save(f"{WORDS} impatience", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await stands(handle, 0, "unconfirmed")
    await handle.signal("retry")
    await handle.signal("edit", EditRequest(revision_id="rev_of_nothing"))
    return await comes_to(handle, "Open for edits")


@scenario
async def resolved_while_publishing(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, hold=60)
    await stack.fault("instagram", "accept_then_delay", "publish", seconds=8)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(f"{WORDS} a quick witness", accounts, media=PICTURE)
    handle = await stack.start(post)
    await begun(handle, "confirm")
    seen = await stack.read(post.id)
    await stack.resolve(seen, None, published=False, target=1)
    return await comes_to(handle, "Open for a retry")


@scenario
async def released_in_vain_and_deleted(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a shut door", [await stack.revoked("twitter")])
    handle = await comes_to(await stack.start(post), "Held")
    await handle.signal("release")
    await stands(handle, 0, "held")
    await stack.delete(await stack.read(post.id))
    return await comes_to(handle, "Deleted")


@scenario
async def changed_while_held(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} another door", [await stack.revoked("twitter")])
    handle = await comes_to(await stack.start(post), "Held")
    held = await stack.read(post.id)
    await stack.change(held, due=datetime.now(UTC) + timedelta(seconds=4), content=f"{WORDS} a later door")
    await comes_to(handle, "Sleeping")
    await comes_to(handle, "Held")
    await stack.delete(await stack.read(post.id))
    return await comes_to(handle, "Deleted")


@scenario
async def changed_before_its_hold_is_known(stack: Stack) -> Handle:
    """The row says that the post is held, and is changed, before the workflow hears the result of the step."""
    settled, slept = Publishing._close, asyncio.Event()

    async def told_late(*arguments: Any, **more: Any) -> Any:
        outcome = await settled(*arguments, **more)
        if not slept.is_set():
            slept.set()
            await asyncio.sleep(4)
        return outcome

    with patch.object(Publishing, "_close", told_late):
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
async def amended_while_prepared(stack: Stack) -> Handle:
    """One target keeps its picture, the other loses it while both are prepared."""
    await stack.fault("instagram", "rate_limited", "prepare", hold=60)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(f"{WORDS} a first thought", accounts, due_in=timedelta(seconds=90), media=PICTURE)
    handle = await stack.start(post)
    await begun(handle, "prepare")
    targets = [
        TargetContent(
            platform=each.platform, account_id=each.id, custom_media=[] if each.platform == "twitter" else None
        )
        for each in accounts
    ]
    due = datetime.now(UTC) + timedelta(seconds=4)
    await stack.change(post, due=due, content=f"{WORDS} a second thought", targets=targets)
    return await comes_to(handle, "Open for edits")


# -- lost workflows that are started again from the row --------------------------------------------------------------


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
    await stands(handle, 0, "unconfirmed")
    await handle.terminate()
    await stack.start(await stack.read(post.id))
    return await comes_to(handle, "Open for edits")


@scenario
async def resolved_in_a_fresh_run(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=50)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(f"{WORDS} a late witness", accounts, media=PICTURE)
    handle = await stack.start(post)
    await stands(handle, 0, "published")
    await stands(handle, 1, "unconfirmed")
    await handle.cancel()
    await comes_to(handle, "Cancelled")
    rests = await stack.read(post.id)
    await stack.resolve(rests, "1234567891", published=True, target=1)
    return await comes_to(handle, "Done")


@scenario
async def deleted_behind_its_back(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a ghost", [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    handle = await stack.start(post)
    async with stack.database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == post.id))
    await handle.result()
    return handle


@scenario
async def older_than_its_run(stack: Stack) -> Handle:
    """Its row is restored from a backup."""
    post = await stack.save(f"{WORDS} an older world", [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    handle = await stack.start(post)
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(version=0))
    return await comes_to(handle, "Ended")


@scenario
async def changed_behind_its_back(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a stranger", [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    handle = await stack.start(post)
    await stack.write_change(post, due=datetime.now(UTC) + timedelta(seconds=3), content=f"{WORDS} a friend")
    return await comes_to(handle, "Open for edits")


@scenario
async def updated_while_its_row_is_read(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} two messengers", [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    handle, gate, has_read = await stack.start(post), asyncio.Event(), asyncio.Event()

    async def slowly(session: AsyncSession, post_id: str) -> Plan | Unscheduled | None:
        found = await read_plan(session, post_id)
        has_read.set()
        await gate.wait()
        return found

    with patch.object(posts, "read_plan", slowly):
        await stack.write_change(post, due=datetime.now(UTC) + timedelta(seconds=3))
        await has_read.wait()
        await stack.change(post, due=datetime.now(UTC) + timedelta(seconds=4))
        gate.set()
        return await comes_to(handle, "Open for edits")


@scenario
async def early_by_the_clock_of_the_worker(stack: Stack) -> Handle:
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
async def retried_beside_a_held_target(stack: Stack) -> Handle:
    await stack.fault("instagram", "reject", "publish", **REFUSAL)
    held = await stack.revoked("twitter")
    post = await stack.save(f"{WORDS} two troubles", [stack.accounts["instagram"], held], media=PICTURE)
    handle = await stack.start(post)
    await stands(handle, 0, "failed")
    await stands(handle, 1, "held")
    await stack.retry(await stack.read(post.id))
    await stands(handle, 0, "published")
    await stack.reconnect(held)
    await handle.signal("release")
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
async def cancelled_once_deleted(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} nobody at all", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await comes_to(await stack.start(post), "Sleeping")
    async with stack.database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == post.id))
    await handle.cancel()
    return await comes_to(handle, "Deleted")


@scenario
async def cancelled_once_a_draft(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} nothing yet", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await comes_to(await stack.start(post), "Sleeping")
    await stack.write_change(post, due=None, draft=True)
    await handle.cancel()
    return await comes_to(handle, "Taken off the schedule")


@scenario
async def refused_for_a_while_and_tried_at_once(stack: Stack) -> Handle:
    await stack.fault("twitter", "rate_limited", "publish", seconds=60)
    post = await stack.save(f"{WORDS} a busy hour", [stack.accounts["plain"]])
    handle = await comes_to(await stack.start(post), "Refused for now")
    await handle.signal("retry")
    return await comes_to(handle, "Open for edits")


@scenario
async def cancelled_while_confirming(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, hold=60)
    post = await stack.save(f"{WORDS} a long search", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await begun(handle, "confirm")
    await handle.cancel()
    return await comes_to(handle, "Cancelled")


@scenario
async def cancelled_while_a_confirm_ends(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, hold=2)
    post = await stack.save(f"{WORDS} a short search", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await begun(handle, "confirm")
    await handle.cancel()
    return await comes_to(handle, "Cancelled")


@scenario
async def edited_and_deleted_while_confirming(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=50)
    post = await stack.save(f"{WORDS} a lost page", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await stands(handle, 0, "unconfirmed")
    await handle.signal("edit", EditRequest(revision_id="rev_of_nothing", target_ids=[post.targets[0].id]))
    await stack.workflows.unschedule(post.workflow_id, post.id, post.version + 1, deleted=True)
    return await comes_to(handle, "Deleted")


# -- long histories --------------------------------------------------------------------------------------------------


@scenario_on(longest_history=SHORT)
async def moved_often(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} no day", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await stack.start(post)

    async def move(due_in: timedelta = timedelta(hours=6)) -> None:
        await stack.change(post, due=datetime.now(UTC) + due_in)

    await goes_on(handle, move)
    await move(timedelta(seconds=2))
    return await comes_to(handle, "Open for edits")


@scenario_on(longest_history=SHORT)
async def woken_often_once_prepared(stack: Stack) -> Handle:
    accounts = [stack.accounts["instagram"]]
    post = await stack.save(f"{WORDS} a poke", accounts, due_in=timedelta(seconds=8), media=PICTURE)
    handle = await stack.start(post)

    async def wake() -> None:
        await handle.signal("release")
        await handle.query("status")

    await goes_on(handle, wake)
    return await comes_to(handle, "Done")


@scenario_on(longest_history=SHORT)
async def held_for_long(stack: Stack) -> Handle:
    account = await stack.revoked("twitter")
    post = await stack.save(f"{WORDS} a long queue", [account])
    handle = await comes_to(await stack.start(post), "Held")

    async def release() -> None:
        await handle.signal("release")
        await asyncio.sleep(0.3)

    await goes_on(handle, release)
    await stack.reconnect(account)
    return await comes_to(handle, "Open for edits")


@scenario_on(longest_history=SHORT)
async def unconfirmed_for_long(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=3)
    post = await stack.save(f"{WORDS} a needle", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await goes_on(handle, lambda: asyncio.sleep(0.2))
    return await comes_to(handle, "Open for edits")


@scenario_on(longest_history=SHORT)
async def retried_often(stack: Stack) -> Handle:
    await stack.fault("instagram", "reject", "publish", times=2, **REFUSAL)
    post = await stack.save(f"{WORDS} a stubborn client", [stack.accounts["instagram"]], media=PICTURE)
    handle = await comes_to(await stack.start(post), "Open for a retry")
    await stack.retry(await stack.read(post.id))
    await goes_on(handle, lambda: handle.signal("release"))
    await handle.signal("retry")
    return await comes_to(handle, "Done")


@scenario
async def declined_then_queued(stack: Stack) -> Handle:
    room, local_publish.SLOTS = local_publish.SLOTS, 0
    try:
        post = await stack.save(f"{WORDS} a crowd", [stack.accounts["plain"]])
        return await comes_to(await stack.start(post), "Open for edits")
    finally:
        local_publish.SLOTS = room


@scenario
async def left_once_refused_for_now(stack: Stack) -> Handle:
    """The worker has no free slot any more when the step is to be run again."""
    await stack.fault("twitter", "rate_limited", "publish", seconds=2)
    post = await stack.save(f"{WORDS} a full house", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await until(lambda: _is_tried_again(handle))
    room, local_publish.SLOTS = local_publish.SLOTS, 0
    try:
        return await comes_to(handle, "Open for edits")
    finally:
        local_publish.SLOTS = room


async def _is_tried_again(handle: Handle) -> bool:
    steps = (await handle.describe()).raw_description.pending_activities
    return any(step.attempt > 1 for step in steps)
