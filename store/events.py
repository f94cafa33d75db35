"""The feed of a workspace's events, in the order of their transactions, and the workspaces that listen.

A transaction has its id before it commits, and ids are not committed in their order. A reader that continues behind the
last event by `seq`, by time or by id would skip the events of transactions that commit later. So only events of
transactions are read below which no transaction is running: behind them, no event can appear any more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from asyncpg import InterfaceError, PostgresError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import first_id
from domain.webhooks import KEPT
from store.announcer import Waiters
from store.database import Pool
from store.models import Event, Listener, Webhook
from store.rows import delete_first

_READ_LISTENER = """
SELECT since, read_at < clock_timestamp() - interval '1 hour' AS is_old, clock_timestamp() AS now
FROM listeners WHERE workspace_id = $1 AND since IS NOT NULL
"""
_RECORD_READ = "UPDATE listeners SET read_at = clock_timestamp() WHERE workspace_id = $1"
_BEGIN = "INSERT INTO listeners (workspace_id) VALUES ($1) ON CONFLICT DO NOTHING"
# Own statements, so own transactions: the id is higher than those of all transactions that may not have seen the row.
_MARK = "UPDATE listeners SET since_xid = pg_current_xact_id() WHERE workspace_id = $1 AND since_xid IS NULL"
_COMPLETE = """
UPDATE listeners SET since = clock_timestamp(), read_at = clock_timestamp()
WHERE workspace_id = $1 AND since IS NULL AND since_xid < pg_snapshot_xmin(pg_current_snapshot())
"""


@dataclass(frozen=True, slots=True)
class Listening:
    """A workspace that listens: since when every event of it is written, and the database's time."""

    since: datetime
    now: datetime


async def read_listener(database: Pool, workspace_id: str) -> Listening | None:
    """Return since when a workspace listens, and record that its events are read; None if it does not listen yet."""
    row = await database.row(_READ_LISTENER, workspace_id)
    if row is None:
        return None
    if row["is_old"]:
        await database.row(_RECORD_READ, workspace_id)
    return Listening(row["since"], row["now"])


async def begin_listening(database: Pool, workspace_id: str) -> None:
    """Let the events of a workspace be written; they are all written once `complete_listening` has had an effect."""
    for statement in (_BEGIN, _MARK):
        await database.row(statement, workspace_id)


async def complete_listening(database: Pool, workspace_id: str) -> None:
    """Record that every event of a workspace is written, if no older transaction is running any more."""
    await database.row(_COMPLETE, workspace_id)


log = structlog.get_logger(__name__)

_EVERY_S = 0.25
_NEWEST = """
SELECT workspace_id, concat_ws(' ', (
  SELECT concat_ws('/', xid, seq) FROM events
  WHERE events.workspace_id = waiting.workspace_id AND xid < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY xid DESC, seq DESC LIMIT 1
), (
  SELECT count(*) FROM calendar_views WHERE calendar_views.workspace_id = waiting.workspace_id
)) AS version
FROM unnest($1::text[]) AS waiting (workspace_id)
"""
"""The newest event of each feed that can be read: no older transaction is running (store.events).

And how many calendar views its workspace has: requests by a view that was revoked end.
"""


class FeedWatch(Waiters):
    """The requests that wait for an event. It asks the database only while there are some."""

    def __init__(self, database: Pool) -> None:
        super().__init__()
        self._database = database
        self._watching: asyncio.Task[None] | None = None

    async def wait_for_event(self, workspace_id: str, done: Callable[[], Awaitable[bool]], seconds: float) -> bool:
        """Return True as soon as `done` does, which reads the feed; False after some seconds."""
        if seconds > 0 and (self._watching is None or self._watching.done()):
            self._watching = asyncio.create_task(self._watch())
        return await self.wait(workspace_id, done, seconds)

    async def _watch(self) -> None:
        await asyncio.sleep(_EVERY_S)
        while workspaces := self.keys:
            try:
                rows = await self._database.rows(_NEWEST, workspaces)
            except (OSError, PostgresError, InterfaceError, SQLAlchemyError) as error:
                log.warning("feeds.unreachable", reason=type(error).__name__)
                # The requests ask themselves, and say it to their clients.
                self.wake(workspaces)
            else:
                self.wake_changed({row["workspace_id"]: row["version"] for row in rows})
            await asyncio.sleep(_EVERY_S)


async def delete_past_events(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` events that are older than KEPT; return how many were deleted."""
    # An id begins with its time.
    return await delete_first(session, Event.id, Event.id, limit, Event.id < first_id("evt", now - KEPT))


async def delete_past_listeners(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` listeners without webhooks whose feeds were not read for KEPT; return how many."""
    has_webhook = select(Webhook.id).where(Webhook.workspace_id == Listener.workspace_id).exists()
    past = (Listener.read_at < now - KEPT, ~has_webhook)
    return await delete_first(session, Listener.workspace_id, Listener.read_at, limit, *past)


async def emit_ends(session: AsyncSession, within: timedelta) -> int:
    """Write an event for each account and key that ends `within` a time, once for each end; return how many."""
    return await session.scalar(select(func.emit_ends_v1(within))) or 0


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
