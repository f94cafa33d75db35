"""Tell Temporal that a long step is alive."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from temporalio import activity

_FIRST_S = 3.0
"""Most steps end sooner and need no heartbeat at all."""
_EVERY_S = 2.0


@contextlib.asynccontextmanager
async def beating() -> AsyncIterator[list[str]]:
    """Heartbeat while the block runs; the last text put into the yielded list is its progress."""
    progress: list[str] = []

    async def beat() -> None:
        await asyncio.sleep(_FIRST_S)
        while True:
            activity.heartbeat(*progress[-1:])
            await asyncio.sleep(_EVERY_S)

    task = asyncio.create_task(beat())
    try:
        yield progress
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
