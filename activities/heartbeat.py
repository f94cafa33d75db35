"""Heartbeats: they show Temporal that a long step is alive, and carry state to its next try."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from temporalio import activity

_FIRST_S = 3.0
"""Most steps end sooner and need no heartbeat at all."""
_EVERY_S = 2.0


def count_waiting_tries() -> int:
    """Return how many earlier tries of this step only waited: each try learns it from the last one's heartbeat."""
    details = activity.info().heartbeat_details
    return details[-1] if details and isinstance(details[-1], int) else 0


def note_waiting_try() -> None:
    """Save for the next try that this one only waits. Call it right before the step ends for that reason."""
    if not activity.info().is_local:
        activity.heartbeat(count_waiting_tries() + 1)


@contextlib.asynccontextmanager
async def heartbeating() -> AsyncIterator[list[str]]:
    """Heartbeat while the block runs; the last text put into the yielded list is its progress."""
    progress: list[str] = []

    async def beat() -> None:
        await asyncio.sleep(_FIRST_S)
        waiting_tries = count_waiting_tries()
        while True:
            activity.heartbeat(*progress[-1:], *([waiting_tries] if waiting_tries else []))
            await asyncio.sleep(_EVERY_S)

    if activity.info().is_local:
        # A local activity needs no heartbeat: the workflow's task shows that it is alive.
        yield progress
        return
    task = asyncio.create_task(beat())
    try:
        yield progress
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
