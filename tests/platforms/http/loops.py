"""Runners of a coroutine on either event loop: asyncio's own, and the one of production."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Run = Callable[[Awaitable[Any]], Any]


def runner(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> Run:
    """Return a function that runs a coroutine to its end on a loop of its own, in a thread of its own."""

    def in_thread(work: Any) -> Any:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(work)

    def run(work: Any) -> Any:
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(in_thread, work).result(20)

    return run
