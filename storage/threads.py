"""Threads of a store. A disk or server that hangs occupies these alone, and callers get an answer in time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from storage.errors import StorageUnavailable

_THREADS = 16

P = ParamSpec("P")
T = TypeVar("T")


class StorageThreads:
    """The threads in which one store's blocking calls run."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="storage")

    async def run(self, within_s: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of a blocking call. Raises StorageUnavailable if it takes longer.

        A call that was given up or cancelled may still end later.
        """
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.wrap_future(self._pool.submit(work, *args, **kwargs))
        except TimeoutError:
            raise StorageUnavailable(f"no answer within {within_s:g} s") from None

    async def clean_up(self, work: Callable[[], object], within_s: float) -> None:
        """Wait for a call that also runs if the caller is cancelled; no longer than this if a disk hangs."""
        await asyncio.wait([asyncio.wrap_future(self._pool.submit(work))], timeout=within_s)

    def later(self, work: Callable[[], object]) -> None:
        """Let a thread clean up; the caller does not wait."""
        self._pool.submit(work)

    def close(self) -> None:
        """End the threads once they have finished what is running."""
        self._pool.shutdown(wait=False)
