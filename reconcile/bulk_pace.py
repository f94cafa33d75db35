"""The pace of bulk deliveries: evenly over a second, less of it while posts are published, and more afterwards."""

import asyncio
import math
from collections.abc import Callable

LONGEST_TURN_S = 3.0
"""When a turn ends at the latest. The posts that it has not begun are given back before the
sweep takes them (after 5 s)."""
_SPREAD_S = 0.9
"""The part of a second over which the deliveries of a turn are spread; the rest is for its statements."""
_BUSY_SHARE = 0.1
"""The share of the pace that is left while this worker publishes."""
_LONGEST_YIELD_S = 60
"""For how many seconds together deliveries give way: bulk work becomes slow, and never stands still. A second in which
nothing is published gives one back."""
_LEAST_SHARE = 0.5
"""The share of the pace that is left afterwards, whatever is published."""
_CROWD_SHARE, _SMALLEST_CROWD = 0.2, 20
"""As many targets as this share of the pace, due in one second, are a crowd: each costs about as much as a start."""
_CROWD_LEAD_S = 2.0
"""How long before a crowd is due the deliveries end: Temporal and the worker finish what they have begun. With one
second, half of a crowd had not run its first task when it was due, and had 0.81 times the targets a second."""
_CATCH_UP_SHARE = 0.5
"""How much more than the pace a turn takes if earlier ones took less."""
_LONGEST_DEBT_S = 30
"""For how many seconds of the pace a missed delivery is made up for."""
_NOTICED_AFTER_S = 5
"""How long posts of a bulk operation may wait for their first turn: workers ask for work with their leases. That is
made up for, too."""
_LATE_S = 0.05
"""By how much later than its moment a delivery may begin so that those after it keep theirs."""
_LOOK_S = 0.01
"""How often a delivery that waits for its moment looks whether the worker publishes."""


class BulkPace:
    """The number of posts that a worker delivers in its turn, and the moments at which it begins to deliver them.

    All of them at the beginning of a second would be in the way of a request that comes then. A publication needs the
    cores that a small machine has: while this worker publishes, clients and due posts go first. Before a crowd of
    targets is due, the deliveries end, so that it finds the cores free.
    """

    def __init__(self, per_s: int, is_publishing: Callable[[], bool]) -> None:
        self.per_s = per_s
        self.is_publishing = is_publishing
        self._debt = per_s * _NOTICED_AFTER_S
        """How many posts fewer than the pace allows were delivered while more waited."""
        self._yielded_s = 0
        self._has_yielded = False
        """Whether the turn has given way."""
        self._interval_s = self._last_at = self._end = 0.0
        self._begun_at: float | None = None
        self._queue = asyncio.Lock()

    @property
    def crowd(self) -> int:
        """Return how many targets that are due in one second are a crowd."""
        return max(math.ceil(self.per_s * _CROWD_SHARE), _SMALLEST_CROWD)

    @property
    def least(self) -> int:
        """Return how many posts a second are delivered while this worker publishes."""
        share = _BUSY_SHARE if self._may_yield else _LEAST_SHARE
        return max(math.ceil(self.per_s * share), 1)

    @property
    def _may_yield(self) -> bool:
        return self._yielded_s < _LONGEST_YIELD_S

    def most(self, crowd_in_s: float) -> int:
        """Return how many posts the next turn may take if a crowd is due in so many seconds."""
        full = self.per_s + min(self._debt, math.ceil(self.per_s * _CATCH_UP_SHARE))
        most = self.least if self._yields() else full
        return math.ceil(most * min(self._longest_s(crowd_in_s), 1))

    def _yields(self) -> bool:
        """Return whether this worker publishes, and remember that the turn gives way."""
        is_publishing = self.is_publishing()
        self._has_yielded |= is_publishing
        return is_publishing

    def _longest_s(self, crowd_in_s: float) -> float:
        """Return how long a turn may take, and remember whether it gives way to a crowd."""
        longest_s = crowd_in_s - _CROWD_LEAD_S
        if longest_s >= LONGEST_TURN_S or not self._may_yield:
            return LONGEST_TURN_S
        self._has_yielded |= longest_s < 1
        return max(longest_s, 0)

    def begin(self, number: int, crowd_in_s: float) -> None:
        """Begin a turn with so many posts."""
        now = asyncio.get_running_loop().time()
        self._interval_s = _SPREAD_S / max(number, self.per_s)
        self._begun_at, self._last_at = now, now - self._interval_s
        self._end = now + self._longest_s(crowd_in_s)

    async def wait(self) -> bool:
        """Wait for the moment of the next delivery, in the order of the calls; return False if the turn is over."""
        loop = asyncio.get_running_loop()
        async with self._queue:
            while (now := loop.time()) < self._end:
                interval_s = max(self._interval_s, 1 / self.least) if self._yields() else self._interval_s
                due_at = self._last_at + interval_s
                if now >= due_at:
                    self._last_at = max(due_at, now - _LATE_S)
                    return True
                await asyncio.sleep(min(due_at - now, _LOOK_S))
        return False

    def end(self, delivered: int, *, more_wait: bool) -> None:
        """End a turn in which so many posts were delivered, or one that was not begun."""
        seconds = self._seconds()
        debt = self._debt + self.per_s * seconds - delivered if more_wait else self.per_s * _NOTICED_AFTER_S
        self._debt = min(max(debt, 0), self.per_s * _LONGEST_DEBT_S)
        if not more_wait:
            self._yielded_s = 0
        elif not self._has_yielded:
            self._yielded_s = max(self._yielded_s - seconds, 0)
        elif self._may_yield:
            self._yielded_s += seconds
        self._begun_at, self._has_yielded = None, False

    def _seconds(self) -> int:
        """Return how long the turn took. The turn after one of less than two seconds comes as much earlier."""
        if self._begun_at is None:
            return 1
        return min(max(int(asyncio.get_running_loop().time() - self._begun_at), 1), math.ceil(LONGEST_TURN_S))
