"""Give the targets of one account their turns, no faster than its network allows, whichever worker asks.

All is measured by PostgreSQL's clock. A turn that was taken counts for as long as the network counts what was sent in
it; one that is only expected keeps its place, and none once its target no longer waits or has not come for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.pace import Allowance, Pace, Turn
from store.models import Turn as TurnRow

MISSED_AFTER = timedelta(seconds=30)
"""How late a target may come for its turn before those behind it may take theirs first; it keeps its number."""
_MOST = 2**31 - 1
KEPT = timedelta(hours=1)
"""How long turns are kept where no pace looks further back."""

_ENTER = text("""
WITH lane AS (
  INSERT INTO lanes (platform, server, account_id, step) VALUES (:platform, :server, :account_id, :step)
  -- Changes nothing, but locks the row until the transaction ends: only one at a time is given its turn.
  ON CONFLICT (platform, server, account_id, step) DO UPDATE SET step = excluded.step
  RETURNING told_at, told_left, told_until, told_limit
), mine AS (
  INSERT INTO turns (platform, server, account_id, step, target_id, last_send, at, taken)
  SELECT :platform, :server, :account_id, :step, :target_id, :last_send, now(), false FROM lane
  ON CONFLICT (target_id, step, last_send) DO UPDATE SET target_id = excluded.target_id
  RETURNING id
)
SELECT lane.*, mine.id, clock_timestamp() AS now FROM lane, mine
""")

_TAKE = text("""
WITH forgotten AS (
  DELETE FROM turns
  WHERE platform = :platform AND server = :server AND account_id = :account_id AND step = :step
    AND at < :since AND id <> :id
), earlier AS MATERIALIZED (
  SELECT turns.at FROM turns
  WHERE platform = :platform AND server = :server AND account_id = :account_id AND step = :step
    AND at >= :since AND id <> :id
    AND (taken OR (id < :id AND at >= :missed_before AND EXISTS (
      SELECT FROM targets WHERE targets.id = turns.target_id AND status IN ('pending', 'publishing', 'held'))))
), waits AS (
  -- The turn before which as many others came as a stretch may hold: that long after it there is room again. Whatever
  -- is given so is in order, and holds in every stretch, also between turns that are given already.
  SELECT full_since.at + make_interval(secs => pace.per) AS until, pace.per
  FROM unnest(CAST(:limits AS int[]), CAST(:pers AS float8[])) AS pace (most, per)
  CROSS JOIN LATERAL (SELECT at FROM earlier ORDER BY at DESC OFFSET pace.most - 1 LIMIT 1) AS full_since
  UNION ALL
  SELECT CAST(:told_until AS timestamptz), NULL
  WHERE :told_until > :now AND (SELECT count(*) FROM earlier WHERE at > :told_at) >= :told_left
), longest AS (
  SELECT until, per FROM waits WHERE until > :now ORDER BY until DESC LIMIT 1
), taken AS (
  UPDATE turns SET at = coalesce((SELECT until FROM longest), :now), taken = NOT EXISTS (SELECT FROM longest)
  WHERE id = :id
)
SELECT until, per FROM longest
""")

_TELL = text("""
INSERT INTO lanes (platform, server, account_id, step, told_at, told_left, told_until, told_limit)
VALUES (:platform, :server, :account_id, :step, :told_at, :left, :until, :limit)
ON CONFLICT (platform, server, account_id, step) DO UPDATE
SET told_at = excluded.told_at, told_left = excluded.told_left, told_until = excluded.told_until,
    told_limit = coalesce(excluded.told_limit, lanes.told_limit),
    asking_until = CASE WHEN :asked THEN NULL ELSE lanes.asking_until END
-- Of answers that come in together the one that leaves least counts.
WHERE :asked OR lanes.told_left IS NULL OR lanes.told_until <= clock_timestamp()
   OR excluded.told_left <= lanes.told_left AND excluded.told_until >= lanes.told_until - interval '5 seconds'
""")

_ASK = text("""
UPDATE lanes SET asking_until = clock_timestamp() + make_interval(secs => :lease)
WHERE platform = :platform AND server = :server AND account_id = :account_id AND step = :step
  AND (asking_until IS NULL OR asking_until <= clock_timestamp())
""")

_NOT_TOLD = text("""
UPDATE lanes SET asking_until = NULL, told_left = NULL, told_until = clock_timestamp() + make_interval(secs => :wait)
WHERE platform = :platform AND server = :server AND account_id = :account_id AND step = :step
  AND (told_until IS NULL OR told_until <= clock_timestamp())
""")


@dataclass(frozen=True, slots=True)
class Lane:
    """The way of one account, as one server knows it, to its network in one step, publish or prepare."""

    platform: str
    server: str
    account_id: str
    step: str

    @property
    def names(self) -> dict[str, str]:
        """Return its key's columns."""
        return {"platform": self.platform, "server": self.server, "account_id": self.account_id, "step": self.step}


@dataclass(frozen=True, slots=True)
class Place:
    """A target's place in a lane, and what the network last told of it."""

    lane: Lane
    id: int
    now: datetime
    told: Allowance | None
    told_at: datetime | None
    limit: int | None = None
    """How many the network allows in the longest stretch of its rules, if it has ever told that."""
    asked_until: datetime | None = None
    """Until when the network need not be asked, whether it told anything or not."""

    @property
    def is_told(self) -> bool:
        """Tell whether what the network told still holds."""
        return self.told is not None and self.told.until is not None and self.told.until > self.now

    @property
    def is_to_be_asked(self) -> bool:
        """Tell whether it is time to ask the network what is left."""
        return self.asked_until is None or self.asked_until <= self.now


async def enter(session: AsyncSession, lane: Lane, target_id: str, last_send: int) -> Place:
    """Take a place behind those that wait, or the one that the target has; locks the lane until the transaction ends.

    `last_send` is the id of the target's last send, 0 where there was none.
    """
    row = (await session.execute(_ENTER, {**lane.names, "target_id": target_id, "last_send": last_send})).one()
    told = None if row.told_left is None else Allowance(row.told_left, row.told_until, row.told_limit)
    return Place(lane, row.id, row.now, told, row.told_at, row.told_limit, row.told_until)


async def take(session: AsyncSession, place: Place, paces: Sequence[Pace]) -> Turn:
    """Take the turn if it is there, else note when it is expected; a turn taken before is taken again.

    So that a turn which was used late counts from when it was used.
    """
    told = place.told if place.is_told else None
    looked_back = max((pace.per for pace in paces), default=KEPT)
    values = {
        **place.lane.names,
        "id": place.id,
        "now": place.now,
        "since": place.now - max(looked_back, KEPT),
        "missed_before": place.now - MISSED_AFTER,
        "limits": [pace.limit for pace in paces],
        "pers": [pace.per.total_seconds() for pace in paces],
        "told_at": place.told_at,
        "told_left": told.left if told else None,
        "told_until": told.until if told else None,
    }
    wait = (await session.execute(_TAKE, values)).one_or_none()
    if wait is None:
        return Turn(timedelta(0))
    return Turn(wait.until - place.now, None if wait.per is None else timedelta(seconds=wait.per))


async def give_back(session: AsyncSession, place: Place) -> None:
    """Give a turn back that cannot be used: it, and the place, are free for others."""
    await session.execute(delete(TurnRow).where(TurnRow.id == place.id))


async def used(session: AsyncSession, place: Place, per: timedelta) -> tuple[int, datetime | None]:
    """Return how many turns were taken in the last `per`, and when the first of them was."""
    query = select(func.count(), func.min(TurnRow.at)).where(
        TurnRow.platform == place.lane.platform,
        TurnRow.server == place.lane.server,
        TurnRow.account_id == place.lane.account_id,
        TurnRow.step == place.lane.step,
        TurnRow.taken,
        TurnRow.at > place.now - per,
    )
    count, first = (await session.execute(query)).one()
    return count, first


async def lease_question(session: AsyncSession, lane: Lane, lease: timedelta) -> bool:
    """Let one process ask the network what is left in a lane that exists; False if another is asking already."""
    values = {**lane.names, "lease": lease.total_seconds()}
    return cast("CursorResult[Any]", await session.execute(_ASK, values)).rowcount == 1


async def note_silence(session: AsyncSession, lane: Lane, wait: timedelta) -> None:
    """Note that the network was asked in vain: for `wait` it is not asked again, and the rules' own paces hold."""
    await session.execute(_NOT_TOLD, {**lane.names, "wait": wait.total_seconds()})


async def tell(
    session: AsyncSession,
    lane: Lane,
    told_at: datetime,
    left: int,
    until: datetime,
    *,
    limit: int | None = None,
    asked: bool = False,
) -> None:
    """Note what a network told: until then, no more than `left` turns after `told_at` are given.

    Where it told of less by another answer, that holds, unless it was `asked` just now.
    """
    # Numbers of strangers: they must fit the columns, and no limit can be less than one.
    values = {
        "told_at": told_at,
        "left": min(max(left, 0), _MOST),
        "until": until,
        "limit": min(limit, _MOST) if limit and limit > 0 else None,
        "asked": asked,
    }
    await session.execute(_TELL, {**lane.names, **values})
