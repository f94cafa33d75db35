"""The time that has passed, and waiting for it, in a process that may be frozen or whose machine may sleep."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

R = TypeVar("R")


@dataclass(slots=True)
class Stopwatch:
    """The time since its start: the longer one of the wall clock's and the monotonic clock's.

    The wall clock may be set back, and the monotonic clock may stop while a machine sleeps.
    """

    _wall: float = field(default_factory=time.time)
    _monotonic: float = field(default_factory=time.monotonic)

    def restart(self) -> None:
        """Restart at zero."""
        self._wall, self._monotonic = time.time(), time.monotonic()

    @property
    def passed(self) -> timedelta:
        """Return the time since the start."""
        return timedelta(seconds=max(time.time() - self._wall, time.monotonic() - self._monotonic))


async def within(seconds: int, work: Awaitable[R]) -> R:
    """Wait for a result for some seconds, one after the other. Raises TimeoutError.

    A process that was frozen would find its response and the end of one long time-out together, and would report the
    time-out.
    """
    task = asyncio.ensure_future(work)
    try:
        for _ in range(seconds):
            done, _ = await asyncio.wait({task}, timeout=1)
            if done:
                return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
