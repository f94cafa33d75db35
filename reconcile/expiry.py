"""Deletion of rows that are kept for a limited time, in batches, so that no statement takes long."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from domain.workspaces import AUDIT_KEPT
from reconcile.rounds import BackgroundTask
from store.accounts.pending_connections import delete_old_choices, delete_old_connections
from store.audit import delete_old_account_events, delete_old_events, delete_surplus_events
from store.campaigns.operations import delete_old_operations
from store.database import Database
from store.events import delete_past_events, delete_past_listeners
from store.maintenance.late_posts import delete_old_lateness
from store.media import delete_expired_files, delete_old_checks
from store.posts.idempotency import delete_expired_keys
from store.posts.imports import delete_old_imports, delete_old_rows, delete_surplus_imports
from store.publishing.rate_limits import delete_past_slots
from store.series.rows import delete_old_entries
from store.webhooks.logs import delete_past_deliveries
from store.workspaces.request_limits import delete_unused_limits

_EVERY_S, _IDLE_EVERY_S = 30.0, 1800.0
"""The pauses after a round that found something, and after one that found nothing."""
_PAUSE_S = 0.1
"""The pause between two batches: up to 5,000 keys a second, fifty times as many as one API key can use."""

_Delete = Callable[[AsyncSession, datetime, int], Awaitable[int]]

DELETES: tuple[tuple[_Delete, int], ...] = (
    (delete_expired_keys, 500),
    (delete_expired_files, 20),
    (delete_old_lateness, 500),
    (delete_old_checks, 100),
    (delete_old_choices, 100),
    (delete_surplus_events, 20),
    (delete_old_connections, 500),
    (delete_past_events, 500),
    (delete_past_listeners, 100),
    (delete_old_entries, 500),
    (delete_old_imports, 2),
    (delete_surplus_imports, 2),
    (delete_old_rows, 500),
    (delete_past_deliveries, 500),
    (delete_unused_limits, 500),
    (delete_past_slots, 500),
)
"""The kinds of rows and the size of their batches; a file may have some MiB, and an import names
10,000 posts."""


def expiry_task(database: Database, audit_kept: timedelta = AUDIT_KEPT) -> BackgroundTask:
    """Return the task that deletes expired rows."""
    pause_s = _IDLE_EVERY_S

    async def expire_all() -> None:
        nonlocal pause_s
        pause_s = _EVERY_S if await expire(database, datetime.now(UTC), audit_kept) else _IDLE_EVERY_S

    return BackgroundTask(expire_all, lambda: pause_s, "expiry.postponed")


async def expire(database: Database, now: datetime, audit_kept: timedelta = AUDIT_KEPT) -> int:
    """Delete all expired rows; returns how many were checked.

    `audit_kept`: how long lines of the audit trail are kept.
    """
    checked = 0
    trails: tuple[tuple[_Delete, int], ...] = tuple(
        (partial(delete_old, keep=audit_kept), 500)
        for delete_old in (delete_old_events, delete_old_account_events, delete_old_operations)
    )
    for delete, batch in (*DELETES, *trails):
        while True:
            async with database.transaction() as session:
                deleted = await delete(session, now, batch)
            checked += deleted
            if deleted < batch:
                break
            await asyncio.sleep(_PAUSE_S)
    return checked
