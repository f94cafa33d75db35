"""Heavy work on the event loop, one piece at a time, so that light work is done in between.

A request's body of 1 MiB costs the API up to 0.3 s, a server's response costs the worker up to 0.1 s. Were several of
them worked on side by side, each step of everything else would wait for all of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

HEAVY = 16 * 1024
"""Bytes of a body or a response, or characters of a post's texts, from which on the work with them is heavy."""
_PIECE_S = 0.02
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.1
"""The bounds of a pause, which is as long as the work before it: light requests get at least half of the event loop."""

_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


class LoopShare:
    """A share of the event loop: one piece of work at a time."""

    def __init__(self, *, heavy: bool) -> None:
        self._heavy = heavy
        self._since = time.perf_counter()

    async def pause(self) -> None:
        """Yield to other coroutines for a moment if this one has run for long enough."""
        if self._heavy and (busy := time.perf_counter() - self._since) > _PIECE_S:
            await asyncio.sleep(min(max(busy, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S))
            self._since = time.perf_counter()

    async def rest(self) -> None:
        """Yield to other coroutines for as long as this one has run, however short that was.

        Work that takes many short shares calls this at the end of each: none would be long enough for a pause.
        """
        if self._heavy:
            await asyncio.sleep(min(time.perf_counter() - self._since, _LONGEST_PAUSE_S))
            self._since = time.perf_counter()


@asynccontextmanager
async def loop_share(size: int) -> AsyncIterator[LoopShare]:
    """Wait until no other heavy work is under way, if this is heavy; light work never waits."""
    if size < HEAVY:
        yield LoopShare(heavy=False)
        return
    async with _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        held = LoopShare(heavy=True)
        try:
            yield held
        finally:
            await held.pause()
