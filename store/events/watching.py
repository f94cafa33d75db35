"""Waiting for an event of a workspace: the API waits here while clients long-poll feeds.

Events send no notification (ADR 49). One statement finds the new events of all feeds for which requests of this
process wait.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from asyncpg import InterfaceError, PostgresError
from sqlalchemy.exc import SQLAlchemyError

from store.database import Pool
from store.waiters import Waiters

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
"""The newest event of each feed that can be read: no older transaction is running (store.events.feed).

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
