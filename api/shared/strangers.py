"""Look-ups for callers without a workspace, which must not take the database from the others."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

MOST_LOOKUPS = 4
"""Look-ups at the same time: strangers leave the rest of the pool to others."""
ABSENT_FOR_S = 10.0
"""What does not exist is not looked up again for this time. Its names are random, so it will not be made meanwhile."""
_MOST_ABSENT = 10_000

T = TypeVar("T")


class StrangerLookups:
    """The look-ups of one process for callers whose workspace is not known."""

    def __init__(self) -> None:
        self._absent: dict[bytes, float] = {}
        self._turns = asyncio.Semaphore(MOST_LOOKUPS)

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Return a turn to read from the database; waits while others have all turns."""
        return self._turns

    async def find(self, name: str, look_up: Callable[[], Awaitable[T | None]]) -> T | None:
        """Return what `look_up` finds; None without asking if nothing had this name a moment ago."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        if self._is_absent(digest):
            return None
        async with self._turns:
            if self._is_absent(digest):
                return None
            result = await look_up()
        if result is None:
            if len(self._absent) >= _MOST_ABSENT:
                self._absent.clear()
            self._absent[digest] = time.monotonic() + ABSENT_FOR_S
        return result

    def _is_absent(self, digest: bytes) -> bool:
        return time.monotonic() < self._absent.get(digest, 0.0)
