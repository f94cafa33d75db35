"""Rate limits of accounts: a bucket for each account and step, and slots that hold over all workers.

All times are of PostgreSQL's clock. A taken slot counts as long as the platform counts the request that used it. A slot
that is not taken yet is a reservation. It lapses if its target no longer waits, or did not use it in time.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.request_limits import RateLimit, Slot
from store.database import Pool
from store.models import RateLimitSlot

MISSED_AFTER = timedelta(seconds=30)
"""How late a target may use its slot before later targets may go first; it keeps its number."""
_MOST = 2**31 - 1
KEPT = timedelta(hours=1)
"""How long slots are kept if no limit has a longer window."""

SLOTS_KEPT = timedelta(days=32)
"""How long slots are kept of an account that sends nothing more; our choice, longer than a month."""

_LOCK = text("""
INSERT INTO rate_limit_buckets (platform, server, account_id, step) VALUES (:platform, :server, :account_id, :step)
-- Changes nothing, but locks the row until the transaction ends.
ON CONFLICT (platform, server, account_id, step) DO UPDATE SET step = excluded.step
RETURNING reported_until, clock_timestamp() AS now
""")
_ACQUIRE = "SELECT * FROM acquire_slots_v1($1, $2, $3, $4, $5, $6, $7, $8, $9)"

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

# The oldest slots have the smallest ids. A slot that is given far ahead may be among them, and stays.
_DELETE_PAST_SLOTS = text("""
WITH oldest AS (SELECT id FROM rate_limit_slots ORDER BY id LIMIT :most),
past AS (
  DELETE FROM rate_limit_slots AS slot USING oldest WHERE slot.id = oldest.id AND slot.at < :before
  RETURNING slot.id, slot.platform, slot.server, slot.account_id, slot.step
),
buckets AS (
  DELETE FROM rate_limit_buckets AS bucket
  USING (SELECT DISTINCT platform, server, account_id, step FROM past) AS used
  WHERE (bucket.platform, bucket.server, bucket.account_id, bucket.step)
      = (used.platform, used.server, used.account_id, used.step)
    AND NOT EXISTS (SELECT FROM accounts WHERE accounts.platform = bucket.platform AND accounts.id = bucket.account_id)
    AND NOT EXISTS (
      SELECT FROM rate_limit_slots AS other
      WHERE (other.platform, other.server, other.account_id, other.step)
          = (bucket.platform, bucket.server, bucket.account_id, bucket.step)
        AND other.id NOT IN (SELECT id FROM past)
    )
)
SELECT count(*) FROM past
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
class LockedBucket:
    """A bucket that the transaction has locked, and the time then."""

    bucket: Bucket
    now: datetime
    no_query_before: datetime | None
    """When the platform may be asked for its quota again, whether it reported one or not."""

    @property
    def needs_query(self) -> bool:
        """Return whether it is time to ask the platform for the quota."""
        return self.no_query_before is None or self.no_query_before <= self.now


async def lock_bucket(session: AsyncSession, bucket: Bucket) -> LockedBucket:
    """Lock a bucket until the transaction ends; it is created if it does not exist."""
    row = (await session.execute(_LOCK, bucket.names)).one()
    return LockedBucket(bucket, row.now, row.reported_until)


@dataclass(frozen=True, slots=True)
class BucketLimits:
    """A bucket and its limits. The longest has the account's own number if the platform has reported one."""

    bucket: Bucket
    limits: Sequence[RateLimit]

    def as_json(self) -> dict[str, Any]:
        """Return what acquire_slots_v1 takes."""
        longest = max((limit.per for limit in self.limits), default=None)
        limits = [
            {"most": limit.limit, "per": limit.per.total_seconds(), "longest": limit.per == longest}
            for limit in self.limits
        ]
        return {"step": self.bucket.step, "limits": limits}


async def acquire(
    database: Pool, target_id: str, last_attempt_id: int, buckets: Sequence[BucketLimits], *, asks: bool = False
) -> Slot | None:
    """Take a target's slots in some buckets of one account if all are free now, else save when they will be.

    `last_attempt_id` is the id of the target's last send, 0 if there was none.
    A slot that was taken before is taken again, so a slot that is used late counts from the time of its use. Returns
    the longest wait; None if the platform `asks` and must be asked for its quota first.
    """
    account = buckets[0].bucket
    row = await database.row(
        _ACQUIRE,
        *(account.platform, account.server, account.account_id, target_id, last_attempt_id),
        json.dumps([bucket.as_json() for bucket in buckets]),
        *(asks, KEPT, MISSED_AFTER),
    )
    return Slot(row["wait"], row["per"]) if row else None


async def count_used(session: AsyncSession, locked: LockedBucket, per: timedelta) -> tuple[int, datetime | None]:
    """Return how many slots were taken in the last `per`, and the time of the first of them."""
    query = select(func.count(), func.min(RateLimitSlot.at)).where(
        RateLimitSlot.platform == locked.bucket.platform,
        RateLimitSlot.server == locked.bucket.server,
        RateLimitSlot.account_id == locked.bucket.account_id,
        RateLimitSlot.step == locked.bucket.step,
        RateLimitSlot.taken,
        RateLimitSlot.at > locked.now - per,
    )
    count, first = (await session.execute(query)).one()
    return count, first


async def lease_quota_query(session: AsyncSession, bucket: Bucket, lease: timedelta) -> bool:
    """Lease the query for the quota of an existing bucket; False if another process is asking already."""
    values = {**bucket.names, "lease": lease.total_seconds()}
    return cast("CursorResult[Any]", await session.execute(_LEASE_QUERY, values)).rowcount == 1


async def delete_past_slots(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete up to `most` slots that no platform counts any more; return how many there were.

    The bucket of an account that is no longer connected goes with its last slot.
    """
    values = {"before": now - SLOTS_KEPT, "most": most}
    return cast("int", await session.scalar(_DELETE_PAST_SLOTS, values))


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

    A smaller quota of another response stays, unless the platform was `asked` a moment ago.
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
