"""Resources of one process that workspaces share, so that no workspace can take what another needs to begin.

`Shares` limits what each has at a time, `Turns` lets those wait that have theirs. How often something may be done is
limited by `domain.request_limits`, and long work on the event loop by `domain.loop_share`.
"""

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Self

_SHORTEST_S = 0.2
"""The shortest time that a share is assumed to be held, so that holders do not all ask again in the same moment."""


class Exhausted(Exception):
    """A holder has its share of some units. It can have more once it gives back as many as are `missing`.

    `interval` is about every how many seconds some of its units become free.
    """

    def __init__(self, shares: "Shares", holder: str, missing: int, interval: float) -> None:
        super().__init__(f"{holder} has its share")
        self.shares = shares
        self.missing = missing
        self.interval = interval


class Shares:
    """A number of units, of which a holder may take as many as then stay free for all others together.

    A single holder gets half of the units, n holders get one part of n + 1 each, and one such part stays free: a new
    holder can begin at any time. `most_per_holder` limits a holder further, and alone if none `leaves_room`. The rule
    is known from switches as dynamic thresholds (Choudhury and Hahne, IEEE/ACM Transactions on Networking 6 (2), 1998).
    Safe to use from any thread.
    """

    def __init__(
        self,
        total: int,
        most_per_holder: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        leaves_room: bool = True,
    ) -> None:
        self.total = total
        self._limit = total if most_per_holder is None else most_per_holder
        self._has_own_limit = most_per_holder is not None
        self._leaves_room = leaves_room
        self._clock = clock
        self._free = total
        self._holders: dict[str, dict[Share, float]] = {}
        """By holder its shares, each with the time at which it was taken."""
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """Return how many units are free."""
        return self._free

    @property
    def most(self) -> int:
        """Return how many units a holder can have if there are no others."""
        return min(self._limit, self.total // 2)

    def held_by(self, holder: str) -> int:
        """Return how many units a holder has."""
        with self._lock:
            return sum(share.amount for share in self._holders.get(holder, ()))

    def take(self, holder: str, amount: int = 1) -> "Share":
        """Take units until the share is given back. Raises Exhausted."""
        share = Share(self, holder)
        with self._lock:
            self._check(holder, amount)
            self._holders.setdefault(holder, {})[share] = self._clock()
            share.amount = amount
            self._free -= amount
        return share

    def resize(self, share: "Share", amount: int) -> None:
        """Change a share's number of units. Raises Exhausted, and leaves it as it was, if it may not grow."""
        with self._lock:
            more = amount - share.amount
            if share not in self._holders.get(share.holder, ()):
                raise ValueError("the share was given back")
            if more > 0:
                self._check(share.holder, more)
            share.amount = amount
            self._free -= more

    def set_total(self, total: int) -> None:
        """Change the number of all units. Holders keep what they have, also if that is more than there are now."""
        with self._lock:
            self._free += total - self.total
            self.total = total
            if not self._has_own_limit:
                self._limit = total

    def release(self, share: "Share") -> None:
        """Release a share's units; a second time changes nothing."""
        with self._lock:
            shares = self._holders.get(share.holder, {})
            if shares.pop(share, None) is None:
                return
            self._free += share.amount
            if not shares:
                del self._holders[share.holder]

    def _check(self, holder: str, more: int) -> None:
        held = sum(share.amount for share in self._holders.get(holder, ())) + more
        free = self._free - more
        # A part that it gives back is both less that it holds and more that is free.
        missing = max(held - self._limit, (held - free + 1) // 2 if self._leaves_room else -free)
        if more and missing > 0:
            raise Exhausted(self, holder, missing, self._interval(holder))

    def _interval(self, holder: str) -> float:
        # A holder without any gets what the others give back.
        own = self._holders.get(holder) or {
            share: at for shares in self._holders.values() for share, at in shares.items()
        }
        now, count = self._clock(), max(len(own), 1)
        return max(sum(now - at for at in own.values()) / count, _SHORTEST_S) / count


class Share(AbstractContextManager["Share"]):
    """Units that one holder has taken; released at the end of the `with` block or by `release`."""

    def __init__(self, shares: Shares, holder: str) -> None:
        self._shares = shares
        self.holder = holder
        self.amount = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def resize(self, amount: int) -> None:
        """Change the number of units. Raises Exhausted, and leaves the share as it was, if it may not grow."""
        self._shares.resize(self, amount)

    def release(self) -> None:
        """Release the units; a second time changes nothing."""
        self._shares.release(self)


class TooManyWaiting(Exception):
    """As many of a holder's own callers wait as may. About every `interval` seconds one of them takes its turn."""

    interval = 1.0


class Turns:
    """Units of some shares, one for each caller; a caller whose holder has its share waits.

    One caller of each waiting holder continues in turn, those of one in the order of their arrival. At most
    `most_waiting` of a holder's wait. For the coroutines of one event loop.
    """

    def __init__(self, shares: Shares, most_waiting: int | None = None) -> None:
        self._shares = shares
        self._most_waiting = most_waiting
        self._waiting: OrderedDict[str, deque[asyncio.Future[Share]]] = OrderedDict()
        """The waiting holders; the first is the next to get a unit."""

    def take_now(self, holder: str) -> Share | None:
        """Return a unit, to be passed to `release`; None if others of the holder wait, or it has its share."""
        if holder not in self._waiting:
            with suppress(Exhausted):
                return self._shares.take(holder)
        return None

    async def take(self, holder: str) -> Share:
        """Return a unit, to be passed to `release`, as soon as the holder may have one. Raises TooManyWaiting."""
        if share := self.take_now(holder):
            return share
        turns = self._waiting.setdefault(holder, deque())
        if self._most_waiting is not None and len(turns) >= self._most_waiting:
            raise TooManyWaiting
        turn: asyncio.Future[Share] = asyncio.get_running_loop().create_future()
        turns.append(turn)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.release(turn.result())
            elif turn in turns:
                turns.remove(turn)
                if not turns:
                    self._waiting.pop(holder, None)
            raise

    def release(self, share: Share) -> None:
        """Give a unit back, to one of those who wait."""
        share.release()
        for holder in list(self._waiting):
            turns = self._waiting[holder]
            while turns and turns[0].done():
                turns.popleft()
            with suppress(Exhausted):
                if turns:
                    next_share = self._shares.take(holder)
                    turns.popleft().set_result(next_share)
                    self._waiting.move_to_end(holder)
            if not turns:
                del self._waiting[holder]


class _Hold:
    """A session that the code of one context holds. Tasks that this code starts inherit the hold until it ends."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = False


_HELD: ContextVar[_Hold | None] = ContextVar("held_session", default=None)


class SessionHeld(RuntimeError):
    """A mistake of ours: a platform was to be asked while a session of the database is held."""


def is_session_held() -> bool:
    """Return whether this code holds a session of the database."""
    held = _HELD.get()
    return held is not None and not held.ended


def demand_no_session() -> None:
    """Raise SessionHeld inside a transaction.

    Called before every request to a platform: one that answers slowly would keep the session, and perhaps locks of
    rows, from everybody else for as long as it likes.
    """
    if is_session_held():
        raise SessionHeld("a platform must not be asked inside a database transaction")


@contextmanager
def holding_session() -> Iterator[None]:
    """Mark the code in the block as holding a session of the database."""
    outer, hold = _HELD.get(), _Hold()
    _HELD.set(hold)
    try:
        yield
    finally:
        hold.ended = True
        _HELD.set(outer)
