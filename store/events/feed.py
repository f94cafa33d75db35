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
SELECT id, type, at, xid, seq, data FROM events
WHERE workspace_id = $1 AND (xid, seq) > ($2::text::xid8, $3::bigint)
  AND xid < pg_snapshot_xmin(pg_current_snapshot())
  AND ($4::text[] IS NULL OR type = ANY ($4))
ORDER BY xid, seq
LIMIT $5
"""
_PRESENT = "SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::numeric - 1)::text AS xid"
_LAST_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
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


async def read_events(
    database: Pool, workspace_id: str, after: FeedPosition, types: Sequence[str] | None, limit: int
) -> list[FeedEvent]:
    """Return up to `limit` events behind a position, those of some types or, with None, all."""
    rows = await database.rows(_READ, workspace_id, str(after.xid), after.seq, types, limit)
    return [
        FeedEvent(row["id"], row["type"], row["at"], FeedPosition(row["xid"], row["seq"]), row["data"]) for row in rows
    ]
