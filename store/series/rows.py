"""The rows of series: read, locked and written, always of one workspace."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from domain.recurrence.expansion import Pattern, S, Segment
from domain.series import SeriesPattern, SeriesSegment
from store.models import OccurrenceEntry, Series
from store.rows import delete_rows, newest_rows

OCCURRENCES_KEPT = timedelta(days=400)
"""How long past occurrences are listed: the trail of their posts is kept a year by default."""


def series_pattern(series: Series) -> SeriesPattern:
    """Return the rules of a series, and what their occurrences say."""
    segments = zip(series.segments, series.contents, strict=True)
    return _pattern(series, [SeriesSegment.model_validate({**rule, "content": content}) for rule, content in segments])


def series_rules(series: Series) -> Pattern[Segment]:
    """Return the rules of a series."""
    return _pattern(series, [Segment.model_validate(rule) for rule in series.segments])


def _pattern(series: Series, segments: Sequence[S]) -> Pattern[S]:
    single = (frozenset(map(datetime.fromisoformat, walls)) for walls in (series.exclude, series.include))
    return Pattern(segments, *single)


def write_pattern(series: Series, pattern: SeriesPattern) -> None:
    """Set the columns of a series to a pattern."""
    series.segments = [segment.model_dump(mode="json", exclude={"content"}) for segment in pattern.segments]
    series.contents = [segment.content.model_dump(mode="json") for segment in pattern.segments]
    series.exclude = sorted(wall.isoformat() for wall in pattern.exclude)
    series.include = sorted(wall.isoformat() for wall in pattern.include)


async def count_by_campaign(session: AsyncSession, workspace_id: str, campaign_ids: Collection[str]) -> dict[str, int]:
    """Return how many series each of these campaigns has, without those that have none."""
    query = select(Series.campaign_id, func.count()).where(
        Series.workspace_id == workspace_id, Series.campaign_id.in_(campaign_ids)
    )
    rows = await session.execute(query.group_by(Series.campaign_id))
    return {campaign_id: count for campaign_id, count in rows if campaign_id is not None}


async def list_series(
    session: AsyncSession,
    workspace_id: str,
    limit: int,
    *,
    before_id: str | None = None,
    campaign_id: str | None = None,
) -> Sequence[Series]:
    """Return series of a workspace, the newest first, without their contents."""
    conditions = [] if campaign_id is None else [Series.campaign_id == campaign_id]
    options = [defer(Series.contents)]
    return await newest_rows(session, Series, workspace_id, limit, before_id, *conditions, options=options)


async def list_entries(session: AsyncSession, series_id: str, first: str, end: str) -> dict[str, OccurrenceEntry]:
    """Return the ledger's entries of wall times from `first` to before `end`, by wall time."""
    query = select(OccurrenceEntry).where(
        OccurrenceEntry.series_id == series_id, OccurrenceEntry.occurrence >= first, OccurrenceEntry.occurrence < end
    )
    return {entry.occurrence: entry for entry in await session.scalars(query.order_by(OccurrenceEntry.occurrence))}


async def delete_old_entries(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` entries of occurrences that are long past; return how many were deleted."""
    bound = (now - OCCURRENCES_KEPT).replace(tzinfo=None).isoformat(timespec="seconds")
    old = (
        select(OccurrenceEntry.series_id, OccurrenceEntry.occurrence)
        .where(OccurrenceEntry.occurrence < bound)
        .order_by(OccurrenceEntry.occurrence)
        .limit(limit)
        .subquery()
    )
    is_old = (OccurrenceEntry.series_id == old.c.series_id, OccurrenceEntry.occurrence == old.c.occurrence)
    return await delete_rows(session, OccurrenceEntry.series_id, *is_old)
