"""Fixed windows in which a platform counts requests."""

from collections.abc import Callable
from typing import NamedTuple


class Window(NamedTuple):
    """The state of a window after a request: `allowed`, what remains, and when it resets (seconds since 1970)."""

    allowed: bool
    limit: int
    remaining: int
    resets_at: float


class Windows:
    """Counts of requests per key; if switched off, everything is allowed and nothing counts as used."""

    def __init__(self, clock: Callable[[], float], *, on: bool) -> None:
        self._clock = clock
        self._on = on
        self._open: dict[tuple[str, ...], tuple[float, int]] = {}

    def take(self, key: tuple[str, ...], limit: int, seconds: float) -> Window:
        """Count one request against a key that may have `limit` of them in `seconds`."""
        now = self._clock()
        if not self._on:
            return Window(True, limit, limit, now + seconds)
        resets_at, used = self._open.get(key, (0.0, 0))
        if now >= resets_at:
            resets_at, used = now + seconds, 0
        if used >= limit:
            return Window(False, limit, 0, resets_at)
        self._open[key] = (resets_at, used + 1)
        return Window(True, limit, limit - used - 1, resets_at)
