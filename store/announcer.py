"""Notifications of requests that wait for a row, sent after the commit of its change, and the waiting for them.

PostgreSQL holds one lock of the whole server while a transaction that notifies commits. So such transactions commit one
after the other, each with its own write to the disk: 16 writers settled 0.44 times as many targets as without
notifications, and 0.89 times as many with notifications of their own (ADR 2).
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import Context
from typing import Any

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from store.dsn import parse_dsn
from store.failures import is_database_unavailable

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
    A lost notification costs its request a second: requests read the rows that often (`store.announcer`).
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


class Waiters:
    """The requests that wait, by what they wait for: the id of a post, for example."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._seen: Mapping[str, str | None] = {}

    async def wait(
        self,
        key: str,
        done: Callable[[], Awaitable[bool]],
        timeout: float,  # noqa: ASYNC109
        *,
        new: bool = False,
    ) -> bool:
        """Return True as soon as `done` does, False after `timeout` seconds. No connection is held in between.

        `new` skips the first check: nothing can have happened yet.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        event = asyncio.Event()
        # Before the first check, so that no change after it is missed.
        self._waiting[key].add(event)
        try:
            while new or not await done():
                new = False
                remaining = deadline - asyncio.get_running_loop().time()
                if remaining <= 0:
                    return False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(remaining):
                        await event.wait()
                event.clear()
            return True
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    @property
    def keys(self) -> list[str]:
        """Return what requests wait for."""
        return list(self._waiting)

    def wake(self, keys: Iterable[str]) -> None:
        """Let the requests that wait for these check."""
        for key in keys:
            for event in self._waiting.get(key, ()):
                event.set()

    def wake_changed(self, versions: Mapping[str, str | None]) -> None:
        """Let those check of which the version has changed since the last call, or that had none."""
        self.wake(key for key, version in versions.items() if self._seen.get(key, "") != version)
        self._seen = versions


log = structlog.get_logger(__name__)

_POLL_EVERY_S = 1.0
"""A notification can be lost. One query this often finds the changed ones among all posts that requests wait for."""
_POLL = """
SELECT posts.id, concat_ws(' ', posts.xmin,
  (SELECT string_agg(targets.xmin::text, ',' ORDER BY targets.id) FROM targets WHERE targets.post_id = posts.id),
  (SELECT string_agg(revisions.xmin::text, ',' ORDER BY revisions.id) FROM revisions WHERE revisions.post_id = posts.id)
) FROM posts WHERE posts.id = ANY($1::text[])
"""
"""The rows' versions: any write changes one of them."""
_POLL_TIMEOUT_S = 5.0


class Outcomes(Waiters):
    """One listening connection, shared by all requests in this process that wait for a post."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self._dsn = parse_dsn(database_url)
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; an unavailable database is tried again until it is back."""
        self._listener = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Stop listening."""
        if self._listener:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener

    async def _listen(self) -> None:
        while True:
            lost = asyncio.Event()
            try:
                connection = await self._dsn.connect("api-listener")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("outcomes.unreachable", reason=type(error).__name__)
                await asyncio.sleep(_POLL_EVERY_S)
                # No notification arrives, so each request reads the rows itself.
                self.wake(self.keys)
                continue
            try:
                connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                await connection.add_listener(CHANNEL, self._on_notification)
                while not lost.is_set():
                    await self._poll(connection)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_EVERY_S):
                            await lost.wait()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("outcomes.unreachable", reason=type(error).__name__)
                await asyncio.sleep(_POLL_EVERY_S)
            finally:
                with contextlib.suppress(Exception):
                    await connection.close(timeout=1)

    async def _poll(self, connection: asyncpg.Connection) -> None:
        """Wake the requests whose post has changed since the last check, or was not checked before."""
        waiting = self.keys
        rows = await connection.fetch(_POLL, waiting, timeout=_POLL_TIMEOUT_S) if waiting else []
        self.wake_changed(dict.fromkeys(waiting) | {row[0]: row[1] for row in rows})

    def _on_notification(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self.wake([str(payload)])
