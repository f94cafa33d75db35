"""The pace at which requests beyond a limit are refused."""

import math
import random

REFUSALS_PER_S = 20
"""Refusals of one workspace that an API process sends in a second; our choice."""
REFUSALS_AT_ONCE = 10
"""As many of them wait for nothing. A client that keeps to `Retry-After` needs no more."""
LONGEST_WAIT_S = 4.0
"""Seconds that a refusal waits at most: less than clients wait for an answer (httpx: 5 s)."""
_INTERVAL_S = 1 / REFUSALS_PER_S


class RefusalPace:
    """The times at which the refusals of one workspace are sent: the more requests come too soon, the later.

    A client that does not wait for its limit asks again as soon as it is refused, on as many connections as it has. If
    its refusals wait, its connections do, and the process has time for others.
    """

    __slots__ = ("_next_at",)

    def __init__(self) -> None:
        self._next_at = -math.inf
        """When the next refusal is sent if none may be sent at once."""

    def wait_s(self, now: float) -> float:
        """Return the seconds that one more refusal waits."""
        self._next_at = max(self._next_at, now - REFUSALS_AT_ONCE * _INTERVAL_S) + _INTERVAL_S
        if self._next_at <= now + LONGEST_WAIT_S:
            return max(0.0, self._next_at - now)
        # Beyond the pace, refusals are spread over some time: all those of a flood at once would delay others' answers.
        self._next_at = now + LONGEST_WAIT_S
        return random.uniform(LONGEST_WAIT_S / 2, LONGEST_WAIT_S)  # noqa: S311 it is no secret
