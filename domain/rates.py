"""Token buckets that limit how often something may be done, each kept by one process for itself."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from domain.errors import Problem, TooManyRequests

_MOST_HOLDERS = 10_000
"""Most holders that are remembered. Beyond that the one that came longest ago starts with a full bucket again."""
_USED_UP = Problem("Too many at once; please wait", "rate_limited")


class Rates:
    """A bucket of each holder: `burst` uses at a time, and `rate` a second for long; no limit if `rate` is 0.

    A holder that waits for what it took owes at most `longest_s` seconds of uses.
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        problem: Problem = _USED_UP,
        clock: Callable[[], float] = time.monotonic,
        longest_s: float = math.inf,
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._problem = problem
        self._clock = clock
        self._longest_s = longest_s
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """By holder when its bucket is full if nothing is taken meanwhile."""

    def take(self, holder: str, amount: float = 1) -> None:
        """Take uses, at most the burst. Raises TooManyRequests, with the seconds until they can be taken."""
        if not self._rate:
            return
        wait_s, full_at = self._look(holder, min(amount, self._burst))
        if wait_s > 0:
            raise TooManyRequests(self._problem, retry_after=math.ceil(round(wait_s, 6)))
        self._remember(holder, full_at)

    def wait_after(self, holder: str, amount: float = 1) -> float:
        """Take uses, and return the seconds after which they may be used."""
        wait_s, full_at = self._look(holder, amount)
        self._remember(holder, full_at - max(wait_s - self._longest_s, 0))
        return max(wait_s, 0.0)

    def _look(self, holder: str, amount: float) -> tuple[float, float]:
        now = self._clock()
        full_at = max(self._full_at.get(holder, now), now) + amount / self._rate
        return full_at - now - self._burst / self._rate, full_at

    def _remember(self, holder: str, full_at: float) -> None:
        self._full_at[holder] = full_at
        self._full_at.move_to_end(holder)
        if len(self._full_at) > _MOST_HOLDERS:
            self._full_at.popitem(last=False)
