"""The pace of bulk deliveries: evenly over a second, a tenth of it while this worker publishes, and more afterwards."""

import asyncio
import math
from collections.abc import Callable

LONGEST_TURN_S = 3.0
"""When a turn ends at the latest. The posts that it has not begun are given back before the
sweep takes them (after 5 s)."""
_SPREAD_S = 0.9
"""The part of a second over which the deliveries of a turn are spread; the rest is for its statements."""
_BUSY_SHARE = 0.1
"""The share of the pace that is left while this worker publishes: bulk work becomes slow, and never stands still."""
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
    cores that a small machine has: while this worker publishes, clients and due posts go first.
    """

    def __init__(self, per_s: int, is_publishing: Callable[[], bool]) -> None:
        self.per_s = per_s
        self._is_publishing = is_publishing
        self._debt = per_s * _NOTICED_AFTER_S
        """How many posts fewer than the pace allows were delivered while more waited."""
        self._interval_s = self._last_at = self._end = 0.0
        self._queue = asyncio.Lock()

    @property
    def least(self) -> int:
        """Return how many posts a second are delivered while this worker publishes."""
        return max(math.ceil(self.per_s * _BUSY_SHARE), 1)

    @property
    def most(self) -> int:
        """Return how many posts the next turn may take."""
        if self._is_publishing():
            return self.least
        return self.per_s + min(self._debt, math.ceil(self.per_s * _CATCH_UP_SHARE))

    def begin(self, number: int) -> None:
        """Begin a turn with so many posts."""
        now = asyncio.get_running_loop().time()
        self._interval_s = _SPREAD_S / max(number, self.per_s)
        self._last_at, self._end = now - self._interval_s, now + LONGEST_TURN_S

    async def wait(self) -> bool:
        """Wait for the moment of the next delivery, in the order of the calls; return False if the turn is over."""
        loop = asyncio.get_running_loop()
        async with self._queue:
            while (now := loop.time()) < self._end:
                interval_s = max(self._interval_s, 1 / self.least) if self._is_publishing() else self._interval_s
                due_at = self._last_at + interval_s
                if now >= due_at:
                    self._last_at = max(due_at, now - _LATE_S)
                    return True
                await asyncio.sleep(min(due_at - now, _LOOK_S))
        return False

    def end(self, delivered: int, *, more_wait: bool) -> None:
        """End a turn in which so many posts were delivered."""
        debt = self._debt + self.per_s - delivered if more_wait else self.per_s * _NOTICED_AFTER_S
        self._debt = min(max(debt, 0), self.per_s * _LONGEST_DEBT_S)
