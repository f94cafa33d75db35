"""Rate limits of accounts: a bucket for each account and step, and slots that hold over all workers.

All times are of PostgreSQL's clock. A taken slot counts as long as the platform counts the request that used it. A slot
that is not taken yet is a reservation. It lapses if its target no longer waits, or did not use it in time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.rate_limits import Quota, RateLimit, Slot
from store.models import RateLimitSlot

MISSED_AFTER = timedelta(seconds=30)
"""How late a target may use its slot before later targets may go first; it keeps its number."""
_MOST = 2**31 - 1
KEPT = timedelta(hours=1)
"""How long slots are kept if no limit has a longer window."""

_RESERVE = text("""
WITH bucket AS (
  INSERT INTO rate_limit_buckets (platform, server, account_id, step) VALUES (:platform, :server, :account_id, :step)
  -- Changes nothing, but locks the row until the transaction ends: slots are handed out one at a time.
  ON CONFLICT (platform, server, account_id, step) DO UPDATE SET step = excluded.step
  RETURNING reported_at, reported_remaining, reported_until, reported_limit
), slot AS (
  INSERT INTO rate_limit_slots (platform, server, account_id, step, target_id, last_send, at, taken)
  SELECT :platform, :server, :account_id, :step, :target_id, :last_send, now(), false FROM bucket
  ON CONFLICT (target_id, step, last_send) DO UPDATE SET target_id = excluded.target_id
  RETURNING id
)
SELECT bucket.*, slot.id, clock_timestamp() AS now FROM bucket, slot
""")

_ACQUIRE = text("""
WITH expired AS (
  DELETE FROM rate_limit_slots
  WHERE platform = :platform AND server = :server AND account_id = :account_id AND step = :step
    AND at < :since AND id <> :id
), earlier AS MATERIALIZED (
  SELECT rate_limit_slots.at FROM rate_limit_slots
  WHERE platform = :platform AND server = :server AND account_id = :account_id AND step = :step
    AND at >= :since AND id <> :id
    AND (taken OR (id < :id AND at >= :missed_before AND EXISTS (
      SELECT FROM targets
      WHERE targets.id = rate_limit_slots.target_id AND status IN ('pending', 'publishing', 'held'))))
), waits AS (
  -- The slot which as many others follow as a window may hold: that long after it there is room again. Slots given in
  -- this way are in order, and the limit holds in every window, also between slots that are given already.
  SELECT full_since.at + make_interval(secs => rate_limit.per) AS until, rate_limit.per
  FROM unnest(CAST(:limits AS int[]), CAST(:pers AS float8[])) AS rate_limit (most, per)
  CROSS JOIN LATERAL (SELECT at FROM earlier ORDER BY at DESC OFFSET rate_limit.most - 1 LIMIT 1) AS full_since
  UNION ALL
  SELECT CAST(:reported_until AS timestamptz), NULL
  WHERE :reported_until > :now AND (SELECT count(*) FROM earlier WHERE at > :reported_at) >= :reported_remaining
), longest AS (
  SELECT until, per FROM waits WHERE until > :now ORDER BY until DESC LIMIT 1
), taken AS (
  UPDATE rate_limit_slots SET at = coalesce((SELECT until FROM longest), :now), taken = NOT EXISTS (SELECT FROM longest)
  WHERE id = :id
)
SELECT until, per FROM longest
""")

_RECORD_QUOTA = text("""
INSERT INTO rate_limit_buckets AS bucket (platform, server, account_id, step, reported_at, reported_remaining,
  reported_until, reported_limit)
VALUES (:platform, :server, :account_id, :step, :reported_at, :remaining, :until, :limit)
ON CONFLICT (platform, server, account_id, step) DO UPDATE
SET reported_at = excluded.reported_at, reported_remaining = excluded.reported_remaining,
    reported_until = excluded.reported_until, reported_limit = coalesce(excluded.reported_limit, bucket.reported_limit),
    query_lease_until = CASE WHEN :asked THEN NULL ELSE bucket.query_lease_until END
-- Of responses that come in together, the one with the smallest quota counts.
WHERE :asked OR bucket.reported_remaining IS NULL OR bucket.reported_until <= clock_timestamp()
   OR excluded.reported_remaining <= bucket.reported_remaining
      AND excluded.reported_until >= bucket.reported_until - interval '5 seconds'
""")

_LEASE_QUERY = text("""
UPDATE rate_limit_buckets SET query_lease_until = clock_timestamp() + make_interval(secs => :lease)
WHERE platform = :platform AND server = :server AND account_id = :account_id AND step = :step
  AND (query_lease_until IS NULL OR query_lease_until <= clock_timestamp())
""")

_RECORD_NO_QUOTA = text("""
UPDATE rate_limit_buckets
SET query_lease_until = NULL, reported_remaining = NULL,
    reported_until = clock_timestamp() + make_interval(secs => :wait)
WHERE platform = :platform AND server = :server AND account_id = :account_id AND step = :step
  AND (reported_until IS NULL OR reported_until <= clock_timestamp())
""")


@dataclass(frozen=True, slots=True)
class Bucket:
    """The key of a bucket: one account, as one server knows it, and one step, publish or prepare."""

    platform: str
    server: str
    account_id: str
    step: str

    @property
    def names(self) -> dict[str, str]:
        """Return the columns of the key."""
        return {"platform": self.platform, "server": self.server, "account_id": self.account_id, "step": self.step}


@dataclass(frozen=True, slots=True)
class Reservation:
    """A target's slot, taken or not, and the quota that the platform last reported for its bucket."""

    bucket: Bucket
    id: int
    now: datetime
    reported: Quota | None
    reported_at: datetime | None
    limit: int | None = None
    """The limit that the platform last reported for the longest window of its rules, if it ever did."""
    no_query_before: datetime | None = None
    """When the platform may be asked again, whether it reported a quota or not."""

    @property
    def has_current_report(self) -> bool:
        """Return whether the reported quota still holds."""
        return self.reported is not None and self.reported.resets_at is not None and self.reported.resets_at > self.now

    @property
    def needs_query(self) -> bool:
        """Return whether it is time to ask the platform for the quota."""
        return self.no_query_before is None or self.no_query_before <= self.now


async def reserve(session: AsyncSession, bucket: Bucket, target_id: str, last_send: int) -> Reservation:
    """Reserve the next slot, or return the target's own; locks the bucket until the transaction ends.

    `last_send` is the id of the target's last send, 0 if there was none.
    """
    row = (await session.execute(_RESERVE, {**bucket.names, "target_id": target_id, "last_send": last_send})).one()
    reported = (
        None
        if row.reported_remaining is None
        else Quota(row.reported_remaining, row.reported_until, row.reported_limit)
    )
    return Reservation(bucket, row.id, row.now, reported, row.reported_at, row.reported_limit, row.reported_until)


async def acquire(session: AsyncSession, reservation: Reservation, rate_limits: Sequence[RateLimit]) -> Slot:
    """Take the slot if it is free now, else save when it will be; a slot that was taken before is taken again.

    So a slot that is used late counts from the time of its use.
    """
    reported = reservation.reported if reservation.has_current_report else None
    longest_window = max((rate_limit.per for rate_limit in rate_limits), default=KEPT)
    values = {
        **reservation.bucket.names,
        "id": reservation.id,
        "now": reservation.now,
        "since": reservation.now - max(longest_window, KEPT),
        "missed_before": reservation.now - MISSED_AFTER,
        "limits": [rate_limit.limit for rate_limit in rate_limits],
        "pers": [rate_limit.per.total_seconds() for rate_limit in rate_limits],
        "reported_at": reservation.reported_at,
        "reported_remaining": reported.remaining if reported else None,
        "reported_until": reported.resets_at if reported else None,
    }
    wait = (await session.execute(_ACQUIRE, values)).one_or_none()
    if wait is None:
        return Slot(timedelta(0))
    return Slot(wait.until - reservation.now, None if wait.per is None else timedelta(seconds=wait.per))


async def release(session: AsyncSession, reservation: Reservation) -> None:
    """Delete a reservation that cannot be used, so that others may have the slot."""
    await session.execute(delete(RateLimitSlot).where(RateLimitSlot.id == reservation.id))


async def count_used(session: AsyncSession, reservation: Reservation, per: timedelta) -> tuple[int, datetime | None]:
    """Return how many slots were taken in the last `per`, and the time of the first of them."""
    query = select(func.count(), func.min(RateLimitSlot.at)).where(
        RateLimitSlot.platform == reservation.bucket.platform,
        RateLimitSlot.server == reservation.bucket.server,
        RateLimitSlot.account_id == reservation.bucket.account_id,
        RateLimitSlot.step == reservation.bucket.step,
        RateLimitSlot.taken,
        RateLimitSlot.at > reservation.now - per,
    )
    count, first = (await session.execute(query)).one()
    return count, first


async def lease_quota_query(session: AsyncSession, bucket: Bucket, lease: timedelta) -> bool:
    """Let one process ask the platform for the quota of a bucket that exists; False if another is asking already."""
    values = {**bucket.names, "lease": lease.total_seconds()}
    return cast("CursorResult[Any]", await session.execute(_LEASE_QUERY, values)).rowcount == 1


async def record_no_quota(session: AsyncSession, bucket: Bucket, wait: timedelta) -> None:
    """Save that the platform reported no quota: for `wait` it is not asked again, and the rules' own limits hold."""
    await session.execute(_RECORD_NO_QUOTA, {**bucket.names, "wait": wait.total_seconds()})


async def record_quota(
    session: AsyncSession,
    bucket: Bucket,
    reported_at: datetime,
    remaining: int,
    until: datetime,
    *,
    limit: int | None = None,
    asked: bool = False,
) -> None:
    """Save a reported quota: until then, at most `remaining` slots are given after `reported_at`.

    A smaller quota of another response stays, unless the platform was `asked` just now.
    """
    # Servers may send any number: it must fit its column, and no limit is less than one.
    values = {
        "reported_at": reported_at,
        "remaining": min(max(remaining, 0), _MOST),
        "until": until,
        "limit": min(limit, _MOST) if limit and limit > 0 else None,
        "asked": asked,
    }
    await session.execute(_RECORD_QUOTA, {**bucket.names, **values})
