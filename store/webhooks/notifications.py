"""Functions that find endpoints which have something new to get, for the one worker that looks for them.

New deliveries send no notification (make_deliveries_v2). The worker looks for them twice a second. When it hears that a
post has settled, or that a client wants something delivered (a test, or past events), it looks at once.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

from domain.ids import first_id
from store.announcer import CHANNEL
from store.database import Database

_ASKED = "webhook_due"
"""The channel of endpoints for which a client wants something delivered."""
_EVERY_S = 0.5
_LOOKS_BACK = timedelta(seconds=5)
"""How long a transaction may last whose deliveries are seen here; those of longer ones are left to the sweep."""
_ONE_LISTENS = "SELECT pg_try_advisory_lock(hashtextextended('socialsyncer.webhook_due', 0))"
_NOW = "SELECT clock_timestamp()"
_ENDPOINTS = """
SELECT id, workspace_id FROM webhooks WHERE id = ANY ($1::text[])
UNION
SELECT webhooks.id, webhooks.workspace_id FROM deliveries JOIN webhooks ON webhooks.id = deliveries.webhook_id
WHERE deliveries.id > $2 AND deliveries.state = 'waiting' AND deliveries.claimed_until IS NULL
  AND deliveries.next_at <= clock_timestamp()
  AND webhooks.enabled AND (webhooks.probe_at IS NULL OR webhooks.probe_at <= clock_timestamp())
"""
"""The endpoints that a client asked for, and those whose new deliveries no worker sends yet."""


async def endpoints_to_wake(database: Database, apart_s: float) -> AsyncGenerator[list[tuple[str, str]]]:
    """Yield the endpoints that have something new, each once, as workspace and id; at least `apart_s` pass in between.

    Ends at once if another worker looks for them. Raises asyncpg's errors if the connection is lost.
    """
    connection = await database.direct.connect("worker-listener")
    asked, heard = set[str](), asyncio.Event()

    def ask(_connection: Any, _pid: int, _channel: str, webhook_id: object) -> None:
        asked.add(str(webhook_id))
        heard.set()

    def hear(*_: object) -> None:
        heard.set()

    try:
        connection.add_termination_listener(hear)
        if not await connection.fetchval(_ONE_LISTENS):
            return
        await connection.add_listener(_ASKED, ask)
        await connection.add_listener(CHANNEL, hear)
        clock = asyncio.get_running_loop().time
        # The database's time: its deliveries are dated by it.
        started, started_at = await connection.fetchval(_NOW), clock()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), _EVERY_S)
            heard.clear()
            since = started + timedelta(seconds=clock() - started_at) - _LOOKS_BACK
            rows = await connection.fetch(_ENDPOINTS, sorted(asked), first_id("dlv", since))
            asked.clear()
            if rows:
                yield [(row["workspace_id"], row["id"]) for row in rows]
            await asyncio.sleep(apart_s)
    finally:
        with contextlib.suppress(Exception):
            await connection.close(timeout=1)
