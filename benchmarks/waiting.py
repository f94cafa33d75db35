"""One way to wait for what no event announces."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

T = TypeVar("T")


async def eventually(ask: Callable[[], Awaitable[T]], within_s: float, every_s: float = 0.2) -> T:
    """Ask until the answer is true; return it, or the last answer after so many seconds."""
    deadline = time.monotonic() + within_s
    while not (answer := await ask()) and time.monotonic() < deadline:  # noqa: ASYNC110 no event
        await asyncio.sleep(every_s)
    return answer


async def until(moment: datetime) -> None:
    """Wait until a time."""
    await asyncio.sleep(max((moment - datetime.now(UTC)).total_seconds(), 0))
