"""The pace at which requests beyond a limit are refused."""

REFUSALS_PER_S = 50
"""Refusals of one workspace that an API process sends in a second, and at once; our choice. A client that keeps to
`Retry-After` never waits for one."""
LONGEST_WAIT_S = 2.0
"""Seconds that a refusal waits at most: less than clients wait for an answer (httpx: 5 s)."""


class RefusalPace:
    """The times at which the refusals of one workspace are sent: the more requests come too soon, the later.

    A client that does not wait for its limit asks again as soon as it is refused, on as many connections as it has. If
    its refusals wait, its connections do, and the process has time for others.
    """

    __slots__ = ("_next_at",)

    def __init__(self) -> None:
        self._next_at = 0.0
        """When the next refusal would be sent if none could be sent at once."""

    def wait_s(self, now: float) -> float:
        """Return the seconds that one more refusal waits."""
        at_once_s, interval_s = 1.0, 1 / REFUSALS_PER_S
        wait_s = min(LONGEST_WAIT_S, max(0.0, self._next_at - now - at_once_s + interval_s))
        self._next_at = min(max(self._next_at, now) + interval_s, now + at_once_s + LONGEST_WAIT_S)
        return wait_s
