"""The rates of workspaces, as of bytes: a token bucket for each, kept by each API process for itself."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from domain.errors import Problem, TooManyRequests

_MOST_KEYS = 10_000
"""Most buckets that are kept. Beyond that the least recently used is dropped, and its key gets a full one again."""


class Rates:
    """A token bucket for each key: `burst` requests at a time and `rate` a second for long; no limit if `rate` is 0."""

    def __init__(
        self,
        rate: float,
        burst: int,
        problem: Problem,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._problem = problem
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key_id: str, amount: int = 1) -> None:
        """Take `amount`, at most the burst. Raises TooManyRequests, with the seconds until it can be taken."""
        if not self._rate:
            return
        now = self._clock()
        tokens, since = self._buckets.pop(key_id, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        amount = min(amount, self._burst)
        taken = tokens >= amount
        self._buckets[key_id] = (tokens - amount if taken else tokens, now)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        if not taken:
            raise TooManyRequests(self._problem, retry_after=math.ceil((amount - tokens) / self._rate))
