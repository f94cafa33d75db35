"""Series that lack posts, and posts that differ from their series: for readiness, metrics and the doctor."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.audit import Action
from domain.post import PostStatus
from domain.schedule import UnknownZone, resolve
from domain.series import OccurrenceState, coming_from
from store.due import Due
from store.models import AuditEvent, OccurrenceEntry, Post, Series
from store.series.planning import LOOK_EVERY, missing_occurrences

STANDS_AFTER = timedelta(minutes=10)
"""How late the planner may be: posts are made weeks ahead, and the first ones with their series."""
_MOST = 200
_MOST_SERIES = 500
_MOST_WALLS = 5_000


BEHIND_SERIES = Due("series", "series.behind_since IS NOT NULL")


@dataclass(frozen=True, slots=True)
class BehindSeries:
    """A series that lacks posts: since when, and whether no worker has looked at it."""

    id: str
    workspace_id: str
    since: datetime
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class MissingOccurrence:
    """An occurrence that should have a post and has none."""

    series_id: str
    workspace_id: str
    occurrence: str
    post_id: str | None
    """The post that was made for it, if one was."""


@dataclass(frozen=True, slots=True)
class MovedPost:
    """A post of a series whose wall time is another instant now."""

    post_id: str
    workspace_id: str
    workflow_id: str
    wall: str
    zone: str
    instant: datetime


def _is_behind(now: datetime) -> ColumnElement[bool]:
    return or_(Series.plan_at < now - STANDS_AFTER, Series.behind_since < now - STANDS_AFTER)


async def count_behind_series(session: AsyncSession, now: datetime) -> tuple[int, int]:
    """Count the series that lack posts for long, and those of them that no worker has even looked at."""
    unseen = func.count().filter(Series.plan_at < now - STANDS_AFTER)
    behind, waiting = (await session.execute(select(func.count(), unseen).where(_is_behind(now)))).one()
    return behind, waiting


async def behind_series(session: AsyncSession, now: datetime, workspace_id: str | None) -> list[BehindSeries]:
    """Return the series that lack posts for long."""
    query = (
        select(Series.id, Series.workspace_id, Series.plan_at, Series.behind_since)
        .where(_is_behind(now), _within(Series.workspace_id, workspace_id))
        .order_by(Series.id)
        .limit(_MOST)
    )
    return [
        BehindSeries(series_id, workspace, min(plan_at, behind_since or plan_at), plan_at < now - STANDS_AFTER)
        for series_id, workspace, plan_at, behind_since in await session.execute(query)
    ]


async def lost_occurrences(session: AsyncSession, now: datetime, workspace_id: str | None) -> list[MissingOccurrence]:
    """Return occurrences to come whose posts are gone although no one has deleted them."""
    deleted = select(AuditEvent.id).where(
        AuditEvent.post_id == OccurrenceEntry.post_id, AuditEvent.action == Action.DELETED.value
    )
    query = (
        select(Series.id, Series.workspace_id, OccurrenceEntry.occurrence, OccurrenceEntry.post_id)
        .join(Series, Series.id == OccurrenceEntry.series_id)
        .outerjoin(Post, Post.id == OccurrenceEntry.post_id)
        .where(
            OccurrenceEntry.occurrence >= coming_from(now).isoformat(),
            OccurrenceEntry.state == OccurrenceState.MADE.value,
            Post.id.is_(None),
            ~deleted.exists(),
            _within(Series.workspace_id, workspace_id),
        )
        .order_by(Series.id, OccurrenceEntry.occurrence)
        .limit(_MOST)
    )
    return [MissingOccurrence(*row) for row in await session.execute(query)]


async def unmade_occurrences(session: AsyncSession, now: datetime, workspace_id: str | None) -> list[MissingOccurrence]:
    """Return occurrences for which the planner's last look should have made posts; of the first 500 series."""
    query = (
        select(Series)
        .where(Series.plan_at > now, Series.behind_since.is_(None), _within(Series.workspace_id, workspace_id))
        .order_by(Series.id)
        .limit(_MOST_SERIES)
    )
    missing: list[MissingOccurrence] = []
    for series in await session.scalars(query):
        try:
            keys = await missing_occurrences(session, series, series.plan_at - LOOK_EVERY)
        except UnknownZone:
            continue
        earliest = coming_from(now).isoformat()
        missing += [MissingOccurrence(series.id, series.workspace_id, key, None) for key in keys if key > earliest]
    return missing[:_MOST]


async def moved_posts(session: AsyncSession, workspace_id: str | None) -> list[MovedPost]:
    """Return the soonest posts of series whose wall time is another instant by this process's time zone data."""
    query = (
        select(Post.id, Post.workspace_id, Post.workflow_id, Post.scheduled_wall, Post.timezone, Post.scheduled_for)
        .where(
            Post.series_id.is_not(None),
            Post.status == PostStatus.SCHEDULED.value,
            Post.scheduled_wall.is_not(None),
            _within(Post.workspace_id, workspace_id),
        )
        .order_by(Post.due_at)
        .limit(_MOST_WALLS)
    )
    posts = [
        MovedPost(post_id, workspace, workflow, wall, zone, instant)
        for post_id, workspace, workflow, wall, zone, instant in await session.execute(query)
        if wall is not None and instant is not None
    ]
    return [post for post in posts if _is_moved(post)][:_MOST]


def _is_moved(post: MovedPost) -> bool:
    try:
        return resolve(post.wall, post.zone).instant != post.instant
    except UnknownZone:
        return False


def _within(column: InstrumentedAttribute[str], workspace_id: str | None) -> ColumnElement[bool]:
    return true() if workspace_id is None else column == workspace_id
