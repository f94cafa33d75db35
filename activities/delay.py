"""Do something beside a step only if that takes longer than a moment."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

_DELAY_S = 1.0


@contextlib.asynccontextmanager
async def after_delay(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Begin the work a second after the block, unless that is over by then; what has begun is finished."""
    begun: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    alarm = loop.call_later(_DELAY_S, lambda: begun.append(loop.create_task(work())))
    try:
        yield
    finally:
        alarm.cancel()
        await asyncio.gather(*begun)
