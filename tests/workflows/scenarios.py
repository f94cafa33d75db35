"""Scenarios of posts, each run until its workflow waits for nothing that a test could cause.

`python -m tests.workflows.record` records their workflows in tests/histories.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import WorkflowHandle

from activities.options import PREPARE_AHEAD, prepare_ahead
from store.models import Account, Post
from store.publishing.rate_limits import record_quota
from tests.stack import Stack

Handle = WorkflowHandle[Any, Any]
Scenario = Callable[[Stack], Awaitable[Handle]]

SCENARIOS: dict[str, Scenario] = {}
RATE_LIMITED = {"waited_for_its_rate_limit"}
"""Scenarios that need a worker with rate limits."""
TEMPORALS: dict[str, dict[str, Any]] = {}
"""The options of `temporal_server` that a scenario needs, if it needs any."""
WORDS = "the words of"
"""The prefix of all texts of these posts: if a history contains it, content has leaked into the history."""
PICTURE = ["https://example.com/scenario.jpg"]
REFUSAL = {"status": 400, "body": {"error": {"message": "no", "code": 36003, "error_subcode": 2207009}}}


def scenario(run: Scenario) -> Scenario:
    SCENARIOS[run.__name__] = run
    return run


def scenario_on(**temporal: Any) -> Callable[[Scenario], Scenario]:
    def keep(run: Scenario) -> Scenario:
        TEMPORALS[run.__name__] = temporal
        return scenario(run)

    return keep


async def comes_to(handle: Handle, waiting_for: str, seconds: float = 90) -> Handle:
    """Wait until the workflow reports that it waits for this."""
    async with asyncio.timeout(seconds):
        while not (await handle.query("status"))["waiting_for"].startswith(waiting_for):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.1)
    return handle


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await true():  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.1)


async def has_status(handle: Handle, target: int, status: str) -> None:
    """Wait until the workflow reports this status for one of its targets."""

    async def so() -> bool:
        current: str = (await handle.query("status"))["targets"][target]["status"]
        return current == status

    await until(so)


async def begun(handle: Handle, activity: str) -> str:
    """Wait until a step is running, and return its id."""
    begun_steps: list[str] = []

    async def so() -> bool:
        steps = (await handle.describe()).raw_description.pending_activities
        doing = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
        begun_steps.extend(
            step.activity_id for step in steps if step.activity_type.name == activity and step.state == doing
        )
        return bool(begun_steps)

    await until(so)
    return begun_steps[0]


async def is_tried_again(handle: Handle) -> bool:
    steps = (await handle.describe()).raw_description.pending_activities
    return any(step.attempt > 1 for step in steps)


@scenario
async def published_now(stack: Stack) -> Handle:
    accounts = [stack.accounts["instagram"], stack.accounts["twitter"]]
    post = await stack.save(f"{WORDS} now", accounts, media=PICTURE, tags=["campaign"])
    handle = await stack.start(post)
    # An earlier query would end the workflow's task, and the history would show that.
    await stack.settled(post.id)
    await asyncio.sleep(1)
    return await comes_to(handle, "Open for edits")


@scenario
async def scheduled(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} later", [stack.accounts["plain"]], due_in=timedelta(seconds=2))
    return await comes_to(await stack.start(post), "Open for edits")


@scenario
async def scheduled_with_media_far_ahead(stack: Stack) -> Handle:
    """Takes as long as the time by which media are prepared ahead."""
    words, soon = f"{WORDS} a distant picture", PREPARE_AHEAD + timedelta(seconds=10)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    due_in = PREPARE_AHEAD + timedelta(seconds=15)
    # A post that is to be prepared soon.
    while prepare_ahead((post := await stack.save(words, accounts, due_in=due_in, media=PICTURE)).id) > soon:
        await stack.forget_unfinished()
    return await comes_to(await stack.start(post), "Open for edits", due_in.total_seconds() + 60)


@scenario
async def scheduled_with_media_soon(stack: Stack) -> Handle:
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(f"{WORDS} a picture", accounts, due_in=timedelta(seconds=3), media=PICTURE)
    return await comes_to(await stack.start(post), "Open for edits")


@scenario
async def partial_and_retried_by_signal(stack: Stack) -> Handle:
    await stack.fault("instagram", "reject", "publish", **REFUSAL)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(f"{WORDS} a signal", accounts, media=PICTURE)
    handle = await comes_to(await stack.start(post), "Open for a retry")
    # The second retry finds no failed target.
    await handle.signal("retry")
    await handle.signal("retry")
    return await comes_to(handle, "Open for edits")


@scenario
async def failed_and_retried_by_update(stack: Stack) -> Handle:
    await stack.fault("instagram", "reject", "publish", **REFUSAL)
    post = await stack.save(f"{WORDS} an update", [stack.accounts["instagram"]], media=PICTURE)
    handle = await comes_to(await stack.start(post), "Open for a retry")
    await stack.retry(await stack.read(post.id))
    return await comes_to(handle, "Done")


@scenario
async def published_with_its_permalink_read_late(stack: Stack) -> Handle:
    await stack.fault("instagram", "rate_limited", "confirm", seconds=1)
    post = await stack.save(f"{WORDS} no address", [stack.accounts["instagram"]], media=PICTURE)
    return await comes_to(await stack.start(post), "Done")


@scenario
async def unconfirmed_and_found(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    post = await stack.save(f"{WORDS} a lost answer", [stack.accounts["plain"]])
    return await comes_to(await stack.start(post), "Open for edits")


@scenario
async def unconfirmed_and_sent_again(stack: Stack) -> Handle:
    """Takes as long as the time after which absence on the platform is believed."""
    await stack.fault("twitter", "drop", "publish")
    post = await stack.save(f"{WORDS} a lost request", [stack.accounts["plain"]])
    return await comes_to(await stack.start(post), "Open for edits")


@scenario
async def amended(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} an hour", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await comes_to(await stack.start(post), "Sleeping")
    due = datetime.now(UTC) + timedelta(seconds=2)
    await stack.change(post, due=due, content=f"{WORDS} another hour")
    return await comes_to(handle, "Open for edits")


@scenario
async def amended_once_prepared(stack: Stack) -> Handle:
    accounts = [stack.accounts["instagram"]]
    post = await stack.save(f"{WORDS} a first draft", accounts, due_in=timedelta(seconds=60), media=PICTURE)
    handle = await comes_to(await stack.start(post), "Sleeping")
    due = datetime.now(UTC) + timedelta(seconds=3)
    await stack.change(post, due=due, content=f"{WORDS} a second draft")
    return await comes_to(handle, "Done")


@scenario
async def unscheduled(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a doubt", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await comes_to(await stack.start(post), "Sleeping")
    await stack.change(post, due=None, draft=True)
    return await comes_to(handle, "Taken off the schedule")


@scenario
async def deleted(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} nobody", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await comes_to(await stack.start(post), "Sleeping")
    await stack.delete(post)
    return await comes_to(handle, "Deleted")


@scenario
async def deleted_once_published(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} the past", [stack.accounts["plain"]])
    handle = await comes_to(await stack.start(post), "Open for edits")
    await stack.delete(await stack.read(post.id))
    return await comes_to(handle, "Deleted")


@scenario
async def edited(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a slip", [stack.accounts["twitter"]])
    handle = await comes_to(await stack.start(post), "Open for edits")
    published = await stack.read(post.id)
    revision_id = await stack.new_text(published, f"{WORDS} no slip")
    await stack.workflows.edit(await stack.plan(published), revision_id, [target.id for target in published.targets])
    async with asyncio.timeout(60):
        while not (await stack.read(post.id)).targets[0].edit_history:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.1)
    return await comes_to(handle, "Open for edits")


@scenario
async def cancelled(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} an operator", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await comes_to(await stack.start(post), "Sleeping")
    await handle.cancel()
    return await comes_to(handle, "Cancelled")


@scenario
async def unconfirmed_and_resolved(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=50)
    post = await stack.save(f"{WORDS} a witness", [stack.accounts["plain"]])
    handle = await stack.start(post)
    async with asyncio.timeout(60):
        while (await handle.query("status"))["targets"][0]["status"] != "unconfirmed":  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.1)
    seen = await stack.read(post.id)
    await stack.resolve(seen, "1234567890", published=True)
    return await comes_to(handle, "Open for edits")


@scenario
async def held_and_released(stack: Stack) -> Handle:
    account = await stack.connect("instagram")
    await stack.fault("instagram", "token_expired", "publish")
    await stack.fault("instagram", "token_expired", "auth")
    post = await stack.save(f"{WORDS} a locked door", [account], media=PICTURE)
    handle = await comes_to(await stack.start(post), "Held")
    async with stack.database.transaction() as session:
        await session.execute(update(Account).where(Account.id == account.id).values(recheck_at=datetime.now(UTC)))
    return await comes_to(handle, "Done")


@scenario
async def held_until_stale(stack: Stack) -> Handle:
    account = await stack.connect("instagram")
    await stack.fault("instagram", "token_expired", "publish")
    await stack.fault("instagram", "token_expired", "auth")
    post = await stack.save(f"{WORDS} a closed shop", [account], media=PICTURE)
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(publish_within=4))
    return await comes_to(await stack.start(await stack.read(post.id)), "Open for a retry")


@scenario
async def waited_for_its_rate_limit(stack: Stack) -> Handle:
    account, now = await stack.connect("twitter"), datetime.now(UTC)
    async with stack.database.transaction() as session:
        await record_quota(session, stack.bucket(account, "publish"), now, 0, now + timedelta(seconds=6))
    post = await stack.save(f"{WORDS} a queue", [account])
    handle = await comes_to(await stack.start(post), "Waiting")
    return await comes_to(handle, "Open for edits")
