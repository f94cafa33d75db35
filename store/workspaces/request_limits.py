"""Uses of limits, taken in the database, so that they hold over all API processes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from store.database import Database
from store.models import RequestLimit
from store.rows import delete_rows

UNUSED_FOR = timedelta(hours=1)
"""How long a limit is unused before its row is deleted, which changes nothing."""

# A time further ahead than any use can move it is of a clock that was set back: it counts as unused.
_TAKE = """
WITH taken AS (
  INSERT INTO request_limits AS known (holder, full_at) VALUES ($1, clock_timestamp() + $2::interval)
  ON CONFLICT (holder) DO UPDATE SET full_at = $2::interval + greatest(
    CASE WHEN known.full_at <= clock_timestamp() + 2 * $3::interval THEN known.full_at END, clock_timestamp()
  )
  WHERE known.full_at + $2::interval <= clock_timestamp() + $3::interval
    OR known.full_at > clock_timestamp() + 2 * $3::interval
  RETURNING full_at
)
SELECT true AS taken, full_at - clock_timestamp() AS ahead FROM taken
UNION ALL
SELECT false, full_at - clock_timestamp() FROM request_limits WHERE holder = $1 AND NOT EXISTS (SELECT FROM taken)
"""
_READ = "SELECT holder, full_at - clock_timestamp() AS ahead FROM request_limits WHERE holder = ANY ($1::varchar[])"


@dataclass(frozen=True, slots=True)
class Taking:
    """An answer to uses that were asked for, and the seconds after which the whole limit is unused again."""

    taken: bool
    ahead_s: float


async def take_uses(database: Database, holder: str, cost_s: float, burst_s: float) -> Taking:
    """Take uses of a limit that come back in `cost_s` seconds, unless more than `burst_s` would be used.

    `cost_s` may not be more than `burst_s`. Raises asyncpg's own errors.
    """
    cost, burst = timedelta(seconds=cost_s), timedelta(seconds=burst_s)
    row = await database.row(_TAKE, holder, cost, burst)
    if row is None:
        # Another process wrote the holder's first row after this statement had begun, and used the whole limit.
        return Taking(taken=False, ahead_s=burst_s)
    return Taking(row["taken"], row["ahead"].total_seconds())


async def read_ahead(database: Database, holders: list[str]) -> dict[str, float]:
    """Return the seconds after which the whole limit of each holder is unused again; 0 or less if it is.

    A holder that has no row is missing. Raises asyncpg's own errors.
    """
    rows = await database.rows(_READ, holders) if holders else []
    return {row["holder"]: row["ahead"].total_seconds() for row in rows}


async def delete_unused_limits(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` rows of limits that have been unused for UNUSED_FOR; return how many were deleted."""
    past = RequestLimit.full_at < now - UNUSED_FOR
    unused = select(RequestLimit.holder).where(past).limit(limit)
    return await delete_rows(session, RequestLimit.holder, RequestLimit.holder.in_(unused), past)
