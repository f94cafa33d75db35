"""The planner: makes the posts of series ahead of their times, each occurrence once, whichever worker comes first."""

from datetime import UTC, datetime, timedelta

import structlog

from reconcile.rounds import BackgroundTask, is_part_unavailable
from store.database import Database
from store.series.planning import claim_one, claim_series, plan_series, postpone_complete

log = structlog.get_logger(__name__)

_EVERY_S = 5.0
_BATCH = 50
"""Series that are looked at together. Usually no series lacks a post."""
_AFTER_A_FAILURE = timedelta(minutes=5)
"""When a series is looked at again that could not be planned: the others are planned meanwhile."""


def planner_task(database: Database, most_open_posts: int) -> BackgroundTask:
    """Return the task that looks every few seconds for series that need posts."""

    async def plan_all() -> None:
        while await plan_next(database, most_open_posts):
            pass

    return BackgroundTask(plan_all, _EVERY_S, "planner.postponed", looks_for="planner")


async def plan_next(database: Database, most_open_posts: int = 0) -> bool:
    """Look at the series whose turn it is, and make posts that they lack; return whether there were any series.

    `most_open_posts`: how many posts of a workspace may be open; 0 for any number.
    """
    now = datetime.now(UTC)
    async with database.transaction() as session:
        claimed = await claim_series(session, now, _BATCH)
        behind_ids = await postpone_complete(session, claimed, now)
    for series_id in behind_ids:
        await _plan(database, series_id, now, most_open_posts)
    return bool(claimed)


async def _plan(database: Database, series_id: str, now: datetime, most_open_posts: int) -> None:
    """Make posts for a series, unless it is planned already; if that fails, let it wait."""
    async with database.transaction() as session:
        if (series := await claim_one(session, series_id, now)) is None:
            return
        try:
            async with session.begin_nested():
                planned = await plan_series(session, series, now, most_open_posts)
        except Exception as error:
            if is_part_unavailable(error):
                raise
            log.exception("series.not_planned", series_id=series_id)
            await session.refresh(series)
            series.plan_at, series.behind_since = now + _AFTER_A_FAILURE, series.behind_since or now
            return
    if planned.posts or planned.missing:
        log.info("series.advanced", series_id=series_id, posts=len(planned.posts), missing=planned.missing)
