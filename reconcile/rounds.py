"""The background tasks of a process: rounds of work for as long as it runs, whatever one round meets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from domain.errors import Unavailable
from store.due import Due
from store.failures import is_database_unavailable

log = structlog.get_logger(__name__)


def is_part_unavailable(error: BaseException) -> bool:
    """Return whether an error of a round says that Temporal or the database cannot be used now."""
    return isinstance(error, Unavailable) or is_database_unavailable(error)


async def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class BackgroundTask:
    """Work that a process repeats, with a pause of `every_s` seconds between two rounds."""

    work: Callable[[], Awaitable[object]]
    every_s: float | Callable[[], float]
    postponed: str
    """The event that is logged if Temporal or the database is unavailable; for a mistake, its trace is."""
    again_s: Callable[[int], float] | None = None
    """The pause after so many failed rounds in a row, if it differs."""
    close: Callable[[], Awaitable[None]] = _nothing
    turn: Callable[[], Awaitable[None]] = _nothing
    """Waits until this process may do a round."""
    due: Sequence[Due] = ()
    """The rows without which a round finds nothing; empty if each round is done. One statement of the process asks for
    those of all its tasks."""
    is_shared: bool = False
    """Whether several workers share the work. The rest is little, and its rows may be due for weeks: a webhook exists,
    a chain waits, an account is to be reconnected."""
    rests_s: float = 600.0
    """The pause of a task without such work. A round is done then all the same, if a condition were wrong."""

    async def run(self) -> None:
        """Do one round after the other until this is cancelled."""
        failures = 0
        try:
            while True:
                await self.turn()
                failures = 0 if await self._succeeds() else failures + 1
                if failures and self.again_s:
                    pause = self.again_s(failures)
                else:
                    pause = self.every_s() if callable(self.every_s) else self.every_s
                await asyncio.sleep(pause)
        finally:
            await self.close()

    async def _succeeds(self) -> bool:
        try:
            await self.work()
        except Exception as error:
            if is_part_unavailable(error):
                log.warning(self.postponed, reason=type(error).__name__)
            else:
                log.exception("background_task.failed", task=self.postponed.partition(".")[0])
            return False
        return True


@contextlib.asynccontextmanager
async def running_tasks(*tasks: BackgroundTask) -> AsyncIterator[None]:
    """Run background tasks for the length of the block."""
    runs = [asyncio.create_task(task.run()) for task in tasks]
    try:
        yield
    finally:
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
