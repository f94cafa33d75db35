"""Keep up what a process does beside its work: the sweep, the recovery, the watches."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine

import structlog

log = structlog.get_logger(__name__)

Chore = Callable[[], Coroutine[None, None, None]]

_PAUSE_S = 5.0


@contextlib.asynccontextmanager
async def doing(chores: dict[str, Chore], pause_s: float = _PAUSE_S) -> AsyncIterator[None]:
    """Do chores for the length of the block. One that fails is told of and begun again: nobody would miss it."""
    tasks = [asyncio.create_task(_kept_up(name, chore, pause_s)) for name, chore in chores.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kept_up(name: str, chore: Chore, pause_s: float) -> None:
    while True:
        try:
            await chore()
        except Exception:
            log.exception("chore.failed", chore=name)
        await asyncio.sleep(pause_s)
