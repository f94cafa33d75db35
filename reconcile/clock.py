"""The comparison of this machine's clock with the database's, so that a wrong clock is reported as one."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from reconcile.measures import Gauges
from reconcile.rounds import is_part_unavailable
from store.database import Database
from store.rows import SKEWED_FROM, measure_skew

log = structlog.get_logger(__name__)

_TIMEOUT_S = 1.0


def ahead_of_database(database: Database) -> Callable[[], Awaitable[timedelta]]:
    """Return a function that measures by how much this machine's clock is ahead: zero if the database is away."""

    async def measure() -> timedelta:
        try:
            async with asyncio.timeout(_TIMEOUT_S), database.reading() as session:
                return await measure_skew(session)
        except Exception as error:
            if not is_part_unavailable(error):
                raise
            return timedelta(0)

    return measure


class ClockCheck:
    """A check that is repeated, and logs only when the clock becomes wrong or right again."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self._was_skewed = False

    def check(self, skew: timedelta) -> None:
        """Take up by how much this machine's clock is ahead now."""
        self._gauges.clock_skew(skew)
        is_skewed = abs(skew) >= SKEWED_FROM
        if is_skewed and not self._was_skewed:
            hint = "let this machine, and that of the database, follow a time server (chrony, systemd-timesyncd)"
            log.error("clock.skewed", ahead_s=round(skew.total_seconds(), 1), hint=hint)
        elif self._was_skewed and not is_skewed:
            log.warning("clock.agrees", ahead_s=round(skew.total_seconds(), 1))
        self._was_skewed = is_skewed
