"""Wait for a post's row to change: what the api waits on while publishing goes on elsewhere."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

log = structlog.get_logger(__name__)

CHANNEL = "post_settled"
_LOOK_EVERY_S = 1.0
"""A notification can be lost while the listening connection is down; the row is then read at least this often."""


async def announce(session: AsyncSession, post_id: str) -> None:
    """Tell everyone who waits that the post's row says something new once this transaction commits."""
    await session.execute(text("SELECT pg_notify(:channel, :post_id)"), {"channel": CHANNEL, "post_id": post_id})


class Outcomes:
    """Share one listening connection among everyone in this process who waits for a post."""

    def __init__(self, database_url: str) -> None:
        self._dsn = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; a database that is away is tried again for as long as it takes."""
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
        """Return True as soon as `done` says so, False after `timeout` seconds. No connection is held in between.

        `new` spares the first look: nothing can have happened yet.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        event = asyncio.Event()
        self._waiting[post_id].add(event)
        try:
            while new or not await done():
                new = False
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    return False
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), min(left, _LOOK_EVERY_S))
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
                await asyncio.sleep(_LOOK_EVERY_S)
                continue
            try:
                connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                await connection.add_listener(CHANNEL, self._hear)
                await lost.wait()
            finally:
                with contextlib.suppress(Exception):
                    await connection.close(timeout=1)

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        for event in self._waiting.get(str(payload), ()):
            event.set()
