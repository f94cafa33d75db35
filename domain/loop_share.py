"""Heavy work on the event loop, one piece at a time, so that light work is done in between.

A request's body of 1 MiB costs the API up to 0.3 s, a server's response costs the worker up to 0.1 s. Were several of
them worked on side by side, each step of everything else would wait for all of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from domain.holder import count_served

HEAVY = 16 * 1024
"""Bytes of a body or a response, or characters of a post's texts, from which on the work with them is heavy."""
_PIECE_S = 0.002
_LONGEST_PAUSE_S = 0.1
"""A pause is as long as the work before it: light requests get at least half of the event loop, if they want it."""
_LOOK_EVERY_S = 0.001
"""How often a pause looks whether another request is under way."""
_ROUNDS_TO_NOTICE = 4
"""Rounds of the event loop in which a request that has come is noticed: its bytes are read, and its task begins."""

_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


class LoopShare:
    """A share of the event loop: one piece of work at a time."""

    def __init__(self, *, heavy: bool) -> None:
        self._heavy = heavy
        self._since = time.perf_counter()

    async def pause(self) -> None:
        """Yield to other coroutines for a moment if this one has run for long enough."""
        if self._heavy and time.perf_counter() - self._since > _PIECE_S:
            await self.rest()

    async def rest(self) -> None:
        """Yield to other coroutines for as long as this one has run, however short that was.

        In the API this ends as soon as no other request is under way. Work that takes many short shares calls this at
        the end of each: none would be long enough for a pause.
        """
        if not self._heavy:
            return
        rested = time.perf_counter()
        until = rested + min(rested - self._since, _LONGEST_PAUSE_S)
        for _ in range(_ROUNDS_TO_NOTICE):
            await asyncio.sleep(0)
        while time.perf_counter() < until and _are_others_under_way():  # noqa: ASYNC110 there is no event
            await asyncio.sleep(min(_LOOK_EVERY_S, max(until - time.perf_counter(), 0)))
        self._since = time.perf_counter()


def _are_others_under_way() -> bool:
    """Return whether there may be other work: a loop that serves no requests does not say what it works on."""
    return count_served() != 1


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
