"""Wakes the workflows of endpoints that have something to get, and keeps what they need."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from datetime import timedelta

import structlog
from temporalio.client import Client

from domain.errors import Unavailable
from domain.webhooks import MOST_WAITING
from reconcile.rounds import BackgroundTask
from store.database import Database
from store.rows import database_now
from store.secrets.vault import Vault
from store.webhooks.deliveries import make_deliveries, overdue_endpoints
from store.webhooks.endpoints import keep_handover_key
from store.webhooks.logs import ENDPOINTS, WAITING, drop_surplus
from store.webhooks.notifications import endpoints_to_wake
from workflows.client.campaign_workflows import wake_webhook

log = structlog.get_logger(__name__)

_APART_S = 0.25
"""Seconds between two wakes of one endpoint: events in between are delivered together."""
_LISTEN_AGAIN_S = 5.0
_SWEEP_EVERY_S = 10.0
_OVERDUE = timedelta(seconds=10)
"""How long an event may be due before the sweep wakes the endpoint: a transaction may be long."""
_KEEP_EVERY_S = 60.0
_KEY_EVERY_S = 600.0
_BATCH = 100


def wake_task(database: Database, client: Client) -> BackgroundTask:
    """Return the task that wakes endpoints as soon as an event for them is committed."""

    async def listen() -> None:
        async with aclosing(endpoints_to_wake(database, _APART_S)) as news:
            async for endpoints in news:
                await _wake_all(client, endpoints)

    return BackgroundTask(listen, _LISTEN_AGAIN_S, "webhooks.not_listened")


def webhook_sweep_task(database: Database, client: Client) -> BackgroundTask:
    """Return the task that wakes endpoints whose events are overdue."""
    return BackgroundTask(
        lambda: sweep_webhooks(database, client), _SWEEP_EVERY_S, "webhooks.postponed", due=(ENDPOINTS,)
    )


async def sweep_webhooks(database: Database, client: Client) -> int:
    """Wake the endpoints whose events should have been sent a while ago; return how many there were."""
    async with database.transaction() as session:
        # The worker that listens has made them, unless its connection hangs.
        await make_deliveries(session)
        endpoints = await overdue_endpoints(session, await database_now(session) - _OVERDUE, _BATCH)
    await _wake_all(client, endpoints)
    return len(endpoints)


def handover_key_task(database: Database, vault: Vault) -> BackgroundTask:
    """Return the task that keeps the key for endpoints' secrets. Until there is one, no endpoint can be created."""

    async def keep() -> None:
        async with database.transaction() as session:
            await keep_handover_key(session, vault)

    return BackgroundTask(keep, _KEY_EVERY_S, "handover_key.not_kept", again_s=lambda _: _LISTEN_AGAIN_S)


def webhook_keeping_task(database: Database) -> BackgroundTask:
    """Return the task that gives up what is too much to wait."""

    async def keep() -> None:
        async with database.transaction() as session:
            if dropped := await drop_surplus(session, MOST_WAITING):
                log.warning("webhooks.dropped", events=dropped)

    return BackgroundTask(keep, _KEEP_EVERY_S, "webhooks.not_kept", due=(WAITING,))


async def _wake_all(client: Client, endpoints: Iterable[tuple[str, str]]) -> None:
    """Wake endpoints. If Temporal is unavailable, the sweep does it later."""

    async def wake(workspace_id: str, webhook_id: str) -> None:
        try:
            await wake_webhook(client, workspace_id, webhook_id)
        except Unavailable:
            log.warning("webhook.not_woken", webhook_id=webhook_id)

    await asyncio.gather(*(wake(*endpoint) for endpoint in endpoints))
