"""Series that lack posts, and posts that differ from their series: for readiness, metrics and the doctor."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.post import PostStatus
from domain.schedule import UnknownZone, resolve
from domain.series import coming_from
from store.due import Due
from store.models import Post, Series
from store.series.planning import LOOK_EVERY, missing_occurrences

STANDS_AFTER = timedelta(minutes=10)
"""How late the planner may be: posts are made weeks ahead, and the first ones with their series."""
_MOST = 200
_MOST_SERIES = 500
_MOST_WALLS = 5_000
BEHIND_SERIES = Due("series", "series.behind_since IS NOT NULL")


def _is_behind(now: datetime) -> ColumnElement[bool]:
    return or_(Series.plan_at < now - STANDS_AFTER, Series.behind_since < now - STANDS_AFTER)


async def count_behind_series(session: AsyncSession, now: datetime) -> tuple[int, int]:
    """Count the series that lack posts for long, and those of them that no worker has even looked at."""
    unseen = func.count().filter(Series.plan_at < now - STANDS_AFTER)
    behind, waiting = (await session.execute(select(func.count(), unseen).where(_is_behind(now)))).one()
    return behind, waiting


async def unmade_occurrences(session: AsyncSession, now: datetime, workspace_id: str | None) -> list[dict[str, str]]:
    """Return occurrences for which the planner's last look should have made posts; of the first 500 series."""
    query = (
        select(Series)
        .where(Series.plan_at > now, Series.behind_since.is_(None), _within(Series.workspace_id, workspace_id))
        .order_by(Series.id)
        .limit(_MOST_SERIES)
    )
    missing: list[dict[str, str]] = []
    for series in await session.scalars(query):
        try:
            keys = await missing_occurrences(session, series, series.plan_at - LOOK_EVERY)
        except UnknownZone:
            continue
        earliest = coming_from(now).isoformat()
        missing += [
            {
                "workspace_id": series.workspace_id,
                "workflow_id": f"{series.id}/{key}",
                "series_id": series.id,
                "occurrence": key,
            }
            for key in keys
            if key > earliest
        ]
    return missing[:_MOST]


async def moved_posts(session: AsyncSession, workspace_id: str | None) -> list[dict[str, Any]]:
    """Return the soonest posts of series whose wall time is another instant by this process's time zone data."""
    query = (
        select(
            Post.id.label("post_id"),
            Post.workspace_id,
            Post.workflow_id,
            Post.scheduled_wall.label("wall"),
            Post.timezone.label("zone"),
            Post.scheduled_for.label("instant"),
        )
        .where(
            Post.series_id.is_not(None),
            Post.status == PostStatus.SCHEDULED.value,
            Post.scheduled_wall.is_not(None),
            _within(Post.workspace_id, workspace_id),
        )
        .order_by(Post.due_at)
        .limit(_MOST_WALLS)
    )
    posts = [row._asdict() for row in await session.execute(query)]
    return [post for post in posts if _is_moved(**post)][:_MOST]


def _is_moved(wall: str, zone: str, instant: datetime | None, **_: str) -> bool:
    try:
        return instant is not None and resolve(wall, zone).instant != instant
    except UnknownZone:
        return False


def _within(column: InstrumentedAttribute[str], workspace_id: str | None) -> ColumnElement[bool]:
    return true() if workspace_id is None else column == workspace_id
