"""Heartbeats of running steps, with state for the next try, and the fence before the first byte of a request."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity

from domain.loop_share import Stopwatch
from domain.ownership import must_recheck_attempt
from platforms.errors import ErrorKind, PlatformError
from store.database import Pool
from store.publishing.sending import extend_send

_DELAY_S = 1.0


@contextlib.asynccontextmanager
async def after_delay(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Begin the work one second after the block unless the block has ended by then; begun work is finished."""
    begun: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    alarm = loop.call_later(_DELAY_S, lambda: begun.append(loop.create_task(work())))
    try:
        yield
    finally:
        alarm.cancel()
        await asyncio.gather(*begun)


@dataclass(slots=True)
class Fence:
    """The fence of one attempt. `written` is a stopwatch that was started before the attempt was written."""

    pool: Pool
    attempt_id: int
    written: Stopwatch

    async def __call__(self) -> None:
        """Return if the request may be sent now. Raises PlatformError(transient) if not; then nothing was sent."""
        while must_recheck_attempt(self.written.passed):
            # The answer holds for the time at which the query began.
            asked = Stopwatch()
            try:
                ours = await extend_send(self.pool, self.attempt_id)
            except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                raise PlatformError(ErrorKind.TRANSIENT, "The send was held up.", code="held_up") from error
            if not ours:
                raise PlatformError(ErrorKind.TRANSIENT, "Another worker has taken over this post.", code="overtaken")
            self.written = asked


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
