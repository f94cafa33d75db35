"""Functions that find endpoints which have something new to get, for the one worker that looks for them.

Events send no notification (ADR 49). The worker makes their deliveries twice a second (make_deliveries_v1), and once a
minute while there are no endpoints. When a post has settled, an endpoint was created, or a client wants something
delivered (a test, or past events), that is announced (`store.announcer`), and the worker does so at once.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from store.announcer import CHANNEL
from store.database import Database

_ENDPOINT = "wh_"
"""The beginning of an endpoint's id: a client wants something delivered to it."""
_EVERY_S, _EVERY_IDLE_S = 0.5, 60.0
_ONE_LISTENS = "SELECT pg_try_advisory_lock(hashtextextended('socialsyncer.webhook_due', 0))"
_ENDPOINTS = """
WITH new AS MATERIALIZED (SELECT endpoint_id FROM make_deliveries_v1())
SELECT webhooks.id, webhooks.workspace_id,
       EXISTS (
         SELECT FROM deliveries
         WHERE webhook_id = webhooks.id AND state = 'waiting' AND claimed_until > clock_timestamp()
       ) AS is_served,
       webhooks.id IN (SELECT endpoint_id FROM new) OR EXISTS (
         SELECT FROM deliveries
         WHERE webhook_id = webhooks.id AND state = 'waiting' AND claimed_until IS NULL AND next_at <= clock_timestamp()
       ) AS has_due,
       -- Is called although there are no endpoints: it moves on the place from which events are read.
       (SELECT count(*) FROM new) AS changed,
       EXISTS (SELECT FROM webhooks) AS are_any
FROM (VALUES (1)) AS one
LEFT JOIN webhooks ON webhooks.id = ANY ($1::text[]) OR webhooks.id IN (SELECT endpoint_id FROM new)
"""
"""The endpoints that are named or have new deliveries: whether a worker is sending them something, and more is due.

Else one row without an id.
"""


async def endpoints_to_wake(database: Database, apart_s: float) -> AsyncGenerator[list[tuple[str, str]]]:
    """Yield the endpoints that have something new, each once, as workspace and id; at least `apart_s` pass in between.

    Ends at once if another worker looks for them. Raises asyncpg's errors if the connection is lost.
    """
    connection = await database.direct.connect("worker-listener")
    asked, served, heard = set[str](), set[str](), asyncio.Event()
    pause_s = _EVERY_S

    def hear(_connection: Any, _pid: int = 0, _channel: str = "", payload: object = "") -> None:
        if str(payload).startswith(_ENDPOINT):
            asked.add(str(payload))
        heard.set()

    try:
        connection.add_termination_listener(hear)
        if not await connection.fetchval(_ONE_LISTENS):
            return
        await connection.add_listener(CHANNEL, hear)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await heard.wait()
            heard.clear()
            now_asked = asked.copy()
            asked.clear()
            rows = await connection.fetch(_ENDPOINTS, sorted(now_asked | served))
            pause_s = _EVERY_S if rows[0]["are_any"] else _EVERY_IDLE_S
            # An endpoint that is served gets more in the same round. It is read again, as that round may just end.
            served = {row["id"] for row in rows if row["is_served"]} - now_asked
            due = {row["id"] for row in rows if row["has_due"]} - served
            if to_wake := [(row["workspace_id"], row["id"]) for row in rows if row["id"] in due | now_asked]:
                yield to_wake
            await asyncio.sleep(apart_s)
    finally:
        with contextlib.suppress(Exception):
            await connection.close(timeout=1)
