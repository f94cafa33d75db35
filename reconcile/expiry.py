"""Deletion of rows and posts that are kept for a limited time, in batches, and the events of ends that come soon."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from domain.workspaces import AUDIT_KEPT
from reconcile.measures import WARNED_AHEAD
from reconcile.rounds import BackgroundTask
from store.accounts.pending_connections import delete_old_choices, delete_old_connections
from store.audit import delete_old_account_events, delete_old_events, delete_surplus_events
from store.campaigns.operations import delete_old_operations
from store.database import Database
from store.events import delete_past_events, delete_past_listeners, emit_ends
from store.maintenance.deletions import delete_past_posts, workspaces_to_tidy
from store.maintenance.waiting import delete_old_lateness
from store.media import delete_expired_files, delete_old_checks
from store.posts.idempotency import delete_expired_keys
from store.posts.imports import delete_old_imports, delete_old_rows, delete_surplus_imports
from store.publishing.rate_limits import delete_past_slots
from store.series.rows import delete_old_entries
from store.webhooks.logs import delete_past_deliveries
from store.workspaces.request_limits import delete_unused_limits

log = structlog.get_logger(__name__)

_POSTS_EVERY_S = 3600.0
_POSTS_BATCH = 500
_PAGE = 1_000
_POSTS_PAUSE_S = 0.1
"""The pause between two batches: up to 5,000 posts a second, as many as a million a day need in four minutes."""


def retention_task(database: Database, days: int) -> BackgroundTask:
    """Return the task that deletes past posts every hour; `days` is for workspaces without a number of their own."""
    return BackgroundTask(lambda: tidy(database, days), _POSTS_EVERY_S, "retention.postponed")


async def tidy(database: Database, days: int) -> int:
    """Delete all past posts of all workspaces; return how many there were."""
    total, last = 0, ""
    while True:
        async with database.reading() as session:
            workspace_ids = await workspaces_to_tidy(session, days, last, _PAGE)
        for last in workspace_ids:
            total += await _tidy_workspace(database, last, days)
        if len(workspace_ids) < _PAGE:
            return total


async def _tidy_workspace(database: Database, workspace_id: str, days: int) -> int:
    number = 0
    while True:
        async with database.transaction() as session:
            deleted = await delete_past_posts(session, workspace_id, days, _POSTS_BATCH)
        number += deleted
        if deleted < _POSTS_BATCH:
            break
        await asyncio.sleep(_POSTS_PAUSE_S)
    if number:
        log.info("retention.deleted", workspace_id=workspace_id, posts=number)
    return number


_ENDS_EVERY_S = 60.0


def ends_task(database: Database) -> BackgroundTask:
    """Return the task that looks every minute. Each end has one event, however many workers there are."""

    async def emit() -> None:
        async with database.reading() as session:
            await emit_ends(session, WARNED_AHEAD)

    return BackgroundTask(emit, _ENDS_EVERY_S, "ends.postponed")


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
