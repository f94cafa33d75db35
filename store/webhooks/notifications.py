"""Notifications of endpoints that have something to get, for the one worker that listens."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from store.database import Database

_CHANNEL = "webhook_due"
_ONE_LISTENS = "SELECT pg_try_advisory_lock(hashtextextended('socialsyncer.webhook_due', 0))"
_WORKSPACES = "SELECT id, workspace_id FROM webhooks WHERE id = ANY ($1::text[])"


async def notified_endpoints(database: Database, every_s: float) -> AsyncGenerator[list[tuple[str, str]]]:
    """Yield the endpoints that were notified since the last time, each once, as workspace and id.

    Ends at once if another worker listens. Raises asyncpg's errors if the connection is lost.
    """
    dsn = make_url(database.engine.url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    due, some = set[str](), asyncio.Event()

    def hear(_connection: Any, _pid: int, _channel: str, webhook_id: object) -> None:
        due.add(str(webhook_id))
        some.set()

    def end(_connection: Any) -> None:
        some.set()

    try:
        connection.add_termination_listener(end)
        if not await connection.fetchval(_ONE_LISTENS):
            return
        await connection.add_listener(_CHANNEL, hear)
        while True:
            await some.wait()
            some.clear()
            rows = await connection.fetch(_WORKSPACES, sorted(due))
            due.clear()
            yield [(row["workspace_id"], row["id"]) for row in rows]
            await asyncio.sleep(every_s)
    finally:
        with contextlib.suppress(Exception):
            await connection.close(timeout=1)
