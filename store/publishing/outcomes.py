"""Waiting for a post's row to change: the API waits here while workers publish."""

import asyncio
import contextlib
from typing import Any

import asyncpg
import structlog

from store.announcer import CHANNEL
from store.dsn import parse_dsn
from store.waiters import Waiters

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
