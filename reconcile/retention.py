"""Deletes posts that were settled long ago, where the operator or a workspace wants that."""

import asyncio

import structlog

from reconcile.rounds import BackgroundTask
from store.database import Database
from store.maintenance.retention import delete_past_posts, workspaces_to_tidy

log = structlog.get_logger(__name__)

_EVERY_S = 3600.0
_BATCH = 500
_PAGE = 1_000
_PAUSE_S = 0.1
"""The pause between two batches: up to 5,000 posts a second, as many as a million a day need in four minutes."""


def retention_task(database: Database, days: int) -> BackgroundTask:
    """Return the task that deletes past posts every hour; `days` is for workspaces without a number of their own."""
    return BackgroundTask(lambda: tidy(database, days), _EVERY_S, "retention.postponed")


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
            deleted = await delete_past_posts(session, workspace_id, days, _BATCH)
        number += deleted
        if deleted < _BATCH:
            break
        await asyncio.sleep(_PAUSE_S)
    if number:
        log.info("retention.deleted", workspace_id=workspace_id, posts=number)
    return number
