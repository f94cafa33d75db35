"""Waiting for a post's row to change: the API waits here while workers publish."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import asyncpg
import structlog
from sqlalchemy.engine import make_url

from store.announcer import CHANNEL

log = structlog.get_logger(__name__)

EVENTS = "events"
"""The channel that `emit_v1` notifies of a workspace whose feed has a new event."""
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


def feed_key(workspace_id: str) -> str:
    """Return the name under which requests wait for an event of a workspace, beside those that wait for a post."""
    return f"events of {workspace_id}"


class Outcomes:
    """One listening connection, shared by all requests in this process that wait for a post or an event."""

    def __init__(self, database_url: str) -> None:
        self._dsn = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._seen: dict[str, str | None] = {}
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

    async def wait(
        self,
        post_id: str,
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
        self._waiting[post_id].add(event)
        try:
            while new or not await done():
                new = False
                remaining = deadline - asyncio.get_running_loop().time()
                if remaining <= 0:
                    return False
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), remaining)
                event.clear()
            return True
        finally:
            self._waiting[post_id].discard(event)
            if not self._waiting[post_id]:
                del self._waiting[post_id]

    async def _listen(self) -> None:
        while True:
            lost = asyncio.Event()
            try:
                connection = await asyncpg.connect(self._dsn)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("outcomes.unreachable", reason=type(error).__name__)
                await asyncio.sleep(_POLL_EVERY_S)
                # No notification arrives, so each request reads the rows itself.
                self._wake(self._waiting)
                continue
            try:
                connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                await connection.add_listener(CHANNEL, self._on_notification)
                await connection.add_listener(EVENTS, self._on_event)
                while not lost.is_set():
                    await self._poll(connection)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(lost.wait(), _POLL_EVERY_S)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("outcomes.unreachable", reason=type(error).__name__)
                await asyncio.sleep(_POLL_EVERY_S)
            finally:
                with contextlib.suppress(Exception):
                    await connection.close(timeout=1)

    async def _poll(self, connection: asyncpg.Connection) -> None:
        """Wake the requests whose post has changed since the last check, or was not checked before."""
        waiting = list(self._waiting)
        if not waiting:
            self._seen = {}
            return
        rows = await connection.fetch(_POLL, waiting, timeout=_POLL_TIMEOUT_S)
        versions: dict[str, str | None] = dict.fromkeys(waiting) | {row[0]: row[1] for row in rows}
        self._wake(post_id for post_id, version in versions.items() if self._seen.get(post_id, "") != version)
        self._seen = versions

    def _on_notification(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._wake([str(payload)])

    def _on_event(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._wake([feed_key(str(payload))])

    def _wake(self, post_ids: Iterable[str]) -> None:
        for post_id in post_ids:
            for event in self._waiting.get(post_id, ()):
                event.set()
