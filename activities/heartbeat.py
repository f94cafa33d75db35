"""Tell Temporal that a long step is alive, and what the next try of it must know."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from temporalio import activity

_FIRST_S = 3.0
"""Most steps end sooner and need no heartbeat at all."""
_EVERY_S = 2.0


def times_given_back() -> int:
    """Return how many tries of this step have given their slot back, as Temporal keeps it from try to try."""
    details = activity.info().heartbeat_details
    return details[-1] if details and isinstance(details[-1], int) else 0


def note_given_back() -> None:
    """Let the next try know that this one gives its slot back. Call it right before the step fails for that."""
    if not activity.info().is_local:
        activity.heartbeat(times_given_back() + 1)


@contextlib.asynccontextmanager
async def heartbeating() -> AsyncIterator[list[str]]:
    """Heartbeat while the block runs; the last text put into the yielded list is its progress."""
    progress: list[str] = []

    async def beat() -> None:
        await asyncio.sleep(_FIRST_S)
        given_back = times_given_back()
        while True:
            activity.heartbeat(*progress[-1:], *([given_back] if given_back else []))
            await asyncio.sleep(_EVERY_S)

    if activity.info().is_local:
        # A workflow's task shows by itself that it is alive.
        yield progress
        return
    task = asyncio.create_task(beat())
    try:
        yield progress
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
