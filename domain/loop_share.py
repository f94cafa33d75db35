"""Heavy work on the event loop, one piece at a time, so that light work is done in between; and for whom it is done.

A request's body of 1 MiB costs the API up to 0.3 s, a server's response costs the worker up to 0.1 s. Were several of
them worked on side by side, each step of everything else would wait for all of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self, TypeVar
from weakref import WeakKeyDictionary


class Holder:
    """A request while it is served, and its workspace, which is None until its key is known.

    The code in its block runs for it, and so do the tasks that the request starts. Every request opens one, so it is no
    generator, which costs three times as much.
    """

    workspace_id: str | None = None

    def __enter__(self) -> Self:
        """Let the code in the block run for this workspace."""
        self._token: Token[Holder | None] = _HOLDER.set(self)
        self._loop = asyncio.get_running_loop()
        _served[self._loop] = _served.get(self._loop, 0) + 1
        return self

    def __exit__(self, *_: object) -> None:
        """Let the code after the block run for the workspace that it ran for before."""
        _served[self._loop] -= 1
        _HOLDER.reset(self._token)


_HOLDER: ContextVar[Holder | None] = ContextVar("holder", default=None)
_served: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
"""How many requests of clients each loop serves now."""


def served_request() -> Holder | None:
    """Return the request that this code serves; None for the service itself."""
    return _HOLDER.get()


def current_holder() -> str | None:
    """Return the workspace for which this code runs; None for strangers and for the service itself."""
    holder = _HOLDER.get()
    return holder.workspace_id if holder is not None else None


def count_served() -> int:
    """Return how many requests of clients this event loop serves now."""
    return _served.get(asyncio.get_running_loop(), 0)


R = TypeVar("R")


@dataclass(slots=True)
class Stopwatch:
    """The time since its start: the longer one of the wall clock's and the monotonic clock's.

    The wall clock may be set back, and the monotonic clock may stop while a machine sleeps.
    """

    _wall: float = field(default_factory=time.time)
    _monotonic: float = field(default_factory=time.monotonic)

    def restart(self) -> None:
        """Restart at zero."""
        self._wall, self._monotonic = time.time(), time.monotonic()

    @property
    def passed(self) -> timedelta:
        """Return the time since the start."""
        return timedelta(seconds=max(time.time() - self._wall, time.monotonic() - self._monotonic))


async def within(seconds: int, work: Awaitable[R]) -> R:
    """Wait for a result for some seconds, one after the other. Raises TimeoutError.

    A process that was frozen would find its response and the end of one long time-out together, and would report the
    time-out.
    """
    task = asyncio.ensure_future(work)
    try:
        for _ in range(seconds):
            done, _ = await asyncio.wait({task}, timeout=1)
            if done:
                return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


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
