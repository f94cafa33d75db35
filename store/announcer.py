"""Notifications of requests that wait for a row, sent after the commit of its change.

PostgreSQL holds one lock of the whole server while a transaction that notifies commits. So such transactions commit one
after the other, each with its own write to the disk: 16 writers settled 0.44 times as many targets as without
notifications, and 0.89 times as many with notifications of their own (ADR 2).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from store.failures import is_database_unavailable

log = structlog.get_logger(__name__)

CHANNEL = "post_settled"
"""The channel of notifications; the payload is the id of a post, or of another row that a request waits for."""
_MOST = 500
"""Notifications of one transaction."""
_LONGEST_FLUSH_S = 2.0
# A crash of PostgreSQL before this transaction is on the disk loses nothing: listeners that it disconnects read rows.
_NOTIFY = """
SELECT set_config('synchronous_commit', 'off', true), count(pg_notify($1, id)) FROM unnest($2::text[]) AS id
"""
_KEY = "announcements"


def announce(session: AsyncSession, *row_ids: str) -> None:
    """Notify the requests that wait for these rows, once the session's transaction is committed."""
    session.info.setdefault(_KEY, []).extend(row_ids)


def announcements(session: AsyncSession) -> list[str]:
    """Return the rows that a session has announced."""
    rows: list[str] = session.info.get(_KEY, [])
    return rows


class Announcer:
    """Sends the notifications of one process by `Pool.rows`.

    Rows that arrive while one transaction runs are sent by the next, so a busy process notifies of many rows at once.
    A lost notification costs its request a second: requests read the rows that often (`store.publishing.outcomes`).
    """

    def __init__(self, rows: Callable[..., Awaitable[object]]) -> None:
        self._rows = rows
        self._waiting: dict[str, None] = {}
        self._sending: asyncio.Task[None] | None = None

    def add(self, row_ids: list[str]) -> None:
        """Notify the requests that wait for rows whose change is committed."""
        if row_ids:
            self._waiting.update(dict.fromkeys(row_ids))
            if self._sending is None:
                # For rows of all workspaces, so it waits for no workspace's share of the connections.
                self._sending = asyncio.create_task(self._send(), context=Context())

    async def flush(self) -> None:
        """Wait until all is sent, for two seconds at most."""
        if self._sending is not None:
            await asyncio.wait({self._sending}, timeout=_LONGEST_FLUSH_S)

    async def _send(self) -> None:
        try:
            while self._waiting:
                batch = list(self._waiting)[:_MOST]
                for row_id in batch:
                    del self._waiting[row_id]
                await self._rows(_NOTIFY, CHANNEL, batch)
        except Exception as error:
            self._waiting.clear()
            if not is_database_unavailable(error):
                raise
            log.warning("announcements.lost", reason=type(error).__name__)
        finally:
            self._sending = None
