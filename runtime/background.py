"""Background tasks of a process, such as the sweep and the recovery: started again if they fail."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine

import structlog

log = structlog.get_logger(__name__)

BackgroundTask = Callable[[], Coroutine[None, None, None]]

_PAUSE_S = 5.0


@contextlib.asynccontextmanager
async def supervised(tasks: dict[str, BackgroundTask], pause_s: float = _PAUSE_S) -> AsyncIterator[None]:
    """Run background tasks for the length of the block. One that fails is logged and started again after a pause."""
    running = [asyncio.create_task(_supervise(name, task, pause_s)) for name, task in tasks.items()]
    try:
        yield
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _supervise(name: str, task: BackgroundTask, pause_s: float) -> None:
    while True:
        try:
            await task()
        except Exception:
            log.exception("background_task.failed", task=name)
        await asyncio.sleep(pause_s)
