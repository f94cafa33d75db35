"""Work that is done in parallel with a step, but only if the step takes longer than a moment."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

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
