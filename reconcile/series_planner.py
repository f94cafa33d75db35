"""The planner: makes the posts of series ahead of their times, each occurrence once, whichever worker comes first."""

from datetime import UTC, datetime, timedelta

import structlog

from reconcile.rounds import BackgroundTask, is_part_unavailable
from store.database import Database
from store.series.planning import claim_series, plan_series

log = structlog.get_logger(__name__)

_EVERY_S = 5.0
_AFTER_A_FAILURE = timedelta(minutes=5)
"""When a series is looked at again that could not be planned: the others are planned meanwhile."""


def planner_task(database: Database, most_open_posts: int) -> BackgroundTask:
    """Return the task that looks every few seconds for series that need posts."""

    async def plan_all() -> None:
        while await plan_next(database, most_open_posts):
            pass

    return BackgroundTask(plan_all, _EVERY_S, "planner.postponed", looks_for="planner")


async def plan_next(database: Database, most_open_posts: int = 0) -> bool:
    """Make posts for one series whose turn it is; return whether there was one.

    `most_open_posts`: how many posts of a workspace may be open; 0 for any number.
    """
    now = datetime.now(UTC)
    async with database.transaction() as session:
        series = await claim_series(session, now)
        if series is None:
            return False
        series_id = series.id
        try:
            async with session.begin_nested():
                planned = await plan_series(session, series, now, most_open_posts)
        except Exception as error:
            if is_part_unavailable(error):
                raise
            log.exception("series.not_planned", series_id=series_id)
            await session.refresh(series)
            series.plan_at, series.behind_since = now + _AFTER_A_FAILURE, series.behind_since or now
            return True
    if planned.posts or planned.missing:
        log.info("series.advanced", series_id=series_id, posts=len(planned.posts), missing=planned.missing)
    return True
