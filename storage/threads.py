"""Threads of a store. A disk or server that hangs occupies these alone, and callers get an answer in time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from storage.errors import StorageUnavailable

THREADS = 16

T = TypeVar("T")


class StorageThreads:
    """The threads in which one store's blocking calls run."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="storage")

    async def run(self, within_s: float, work: Callable[[], T], discard: Callable[[T], object] | None = None) -> T:
        """Return the result of a blocking call. Raises StorageUnavailable if it takes longer.

        A call that was given up or cancelled may still end later; `discard` then gets its result.
        """
        future = self._pool.submit(work)
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.wrap_future(future)
        except BaseException as error:
            if discard:
                future.add_done_callback(lambda ended: _discard(ended, discard))
            if isinstance(error, TimeoutError):
                raise StorageUnavailable(f"no answer within {within_s:g} s") from None
            raise

    async def clean_up(self, work: Callable[[], object], within_s: float) -> None:
        """Wait for a call that also runs if the caller is cancelled; no longer than this if a disk hangs."""
        await asyncio.wait([asyncio.wrap_future(self._pool.submit(work))], timeout=within_s)

    def later(self, work: Callable[[], object]) -> None:
        """Let a thread clean up; the caller does not wait."""
        self._pool.submit(work)

    def close(self) -> None:
        """End the threads once they have finished what is running."""
        self._pool.shutdown(wait=False)


def _discard(future: Future[T], discard: Callable[[T], object]) -> None:
    if not future.cancelled() and future.exception() is None:
        discard(future.result())
