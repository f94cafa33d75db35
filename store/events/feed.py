"""The feed of a workspace's events, in the order of their transactions.

A transaction has its id before it commits, and ids are not committed in their order. A reader that continues behind the
last event by `seq`, by time or by id would skip the events of transactions that commit later. So only events of
transactions are read below which no transaction is running: behind them, no event can appear any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.database import Pool

_READ = """
WITH reach AS MATERIALIZED (
  (
    SELECT xid, seq FROM events
    WHERE workspace_id = $1 AND (xid, seq) > ($2::text::xid8, $3::bigint)
      AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, seq
    OFFSET $6 LIMIT 1
  )
  UNION ALL
  SELECT pg_snapshot_xmin(pg_current_snapshot()), 0
  ORDER BY xid, seq
  LIMIT 1
)
SELECT reach.xid AS reach_xid, reach.seq AS reach_seq, event.*
FROM reach LEFT JOIN LATERAL (
  SELECT id, type, at, xid, seq, data FROM events
  WHERE workspace_id = $1 AND (xid, seq) > ($2::text::xid8, $3::bigint) AND (xid, seq) <= (reach.xid, reach.seq)
    AND ($4::text[] IS NULL OR type = ANY ($4))
  ORDER BY xid, seq
  LIMIT $5
) AS event ON true
"""
"""Events, and how far they were looked for: up to the oldest transaction that is running, or to a number of events."""
_LOOKED_AT = 10_000
"""Events among which one statement looks for those of some types."""
_PRESENT = "SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::numeric - 1)::text AS xid"
_LAST_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class FeedPosition:
    """A place in a feed: behind one event, or before all."""

    xid: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event of a feed."""

    id: str
    type: str
    at: datetime
    position: FeedPosition
    data: dict[str, Any]


async def read_present(database: Pool) -> FeedPosition:
    """Return the place in each feed behind which are the events that no reader could have yet."""
    row = await database.row(_PRESENT)
    return FeedPosition(int(row["xid"]) if row else 0, _LAST_SEQ)


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events of a feed, and the place behind them from which a reader continues."""

    events: Sequence[FeedEvent]
    end: FeedPosition
    has_more: bool
    """Whether there may be more events already."""


async def read_events(
    database: Pool,
    workspace_id: str,
    after: FeedPosition,
    types: Sequence[str] | None,
    limit: int,
    *,
    looked_at: int = _LOOKED_AT,
) -> FeedPage:
    """Return up to `limit` events behind a position, those of some types or, with None, all.

    Of some types they are those among the next `looked_at` events, so the page may have none although more follow.
    """
    reach = looked_at - 1 if types else limit
    rows = await database.rows(_READ, workspace_id, str(after.xid), after.seq, types, limit + 1, reach)
    events = [
        FeedEvent(row["id"], row["type"], row["at"], FeedPosition(row["xid"], row["seq"]), row["data"])
        for row in rows
        if row["id"] is not None
    ]
    if len(events) > limit:
        return FeedPage(events[:limit], events[limit - 1].position, has_more=True)
    end = FeedPosition(rows[0]["reach_xid"], rows[0]["reach_seq"])
    return FeedPage(events, max(end, after), has_more=end.seq > 0)
