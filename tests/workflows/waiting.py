"""Functions that wait for a state of a post's workflow, or read its history."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from store.models import Post
from store.posts.delivery import record_delivered
from tests.stack import Stack
from tests.workflows.scenarios import Handle, comes_to


async def until(true: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until this is true. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)


async def asleep(stack: Stack, text: str, due_in: timedelta, account: str = "plain") -> tuple[Post, Handle]:
    """Schedule a post as the API does, and wait until its workflow sleeps."""
    post = await stack.save(text, [stack.accounts[account]], due_in=due_in)
    handle = await stack.start(post)
    async with stack.database.transaction() as session:
        await record_delivered(session, {post.id: post.version})
    return post, await comes_to(handle, "Sleeping")


async def events(handle: Handle, name: str) -> list[Any]:
    """Return the events of a run that have these attributes."""
    history = await handle.fetch_history()
    return [event for event in history.events if event.HasField(name)]  # type: ignore[arg-type]  # any event's name
