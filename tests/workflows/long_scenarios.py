"""Scenarios with long histories, which continue as new."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from tests.stack import Stack
from tests.workflows.scenarios import (
    PICTURE,
    REFUSAL,
    WORDS,
    Handle,
    comes_to,
    scenario_on,
    until,
)

SHORT = 25
"""The number of events after which Temporal suggests to continue as new, lower than its default."""


async def continues_as_new(handle: Handle, wake: Callable[[], Awaitable[object]]) -> None:
    """Wake a workflow until it has continued as a new run."""
    first = (await handle.describe()).run_id

    async def another_run() -> bool:
        await wake()
        return (await handle.describe()).run_id != first

    await until(another_run)


@scenario_on(longest_history=SHORT)
async def moved_often(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} no day", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await stack.start(post)

    async def move(due_in: timedelta = timedelta(hours=6)) -> None:
        await stack.change(post, due=datetime.now(UTC) + due_in)

    await continues_as_new(handle, move)
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

    await continues_as_new(handle, wake)
    return await comes_to(handle, "Done")


@scenario_on(longest_history=SHORT)
async def held_for_long(stack: Stack) -> Handle:
    account = await stack.revoked("twitter")
    post = await stack.save(f"{WORDS} a long queue", [account])
    handle = await comes_to(await stack.start(post), "Held")

    async def release() -> None:
        await handle.signal("release")
        await asyncio.sleep(0.3)

    await continues_as_new(handle, release)
    await stack.reconnect(account)
    return await comes_to(handle, "Open for edits")


@scenario_on(longest_history=SHORT)
async def unconfirmed_for_long(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=3)
    post = await stack.save(f"{WORDS} a needle", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await continues_as_new(handle, lambda: asyncio.sleep(0.2))
    return await comes_to(handle, "Open for edits")


@scenario_on(longest_history=SHORT)
async def retried_often(stack: Stack) -> Handle:
    await stack.fault("instagram", "reject", "publish", times=2, **REFUSAL)
    post = await stack.save(f"{WORDS} a stubborn client", [stack.accounts["instagram"]], media=PICTURE)
    handle = await comes_to(await stack.start(post), "Open for a retry")
    await stack.retry(await stack.read(post.id))
    await continues_as_new(handle, lambda: handle.signal("release"))
    await handle.signal("retry")
    return await comes_to(handle, "Done")
