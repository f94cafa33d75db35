"""Series and their occurrences, read for answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.errors import problem_view
from api.posts.clock import now_ms
from api.series.actions import read_rules, require_series
from api.series.bodies import PreviewBody
from api.series.reading import exclusion_warnings, same_text_warnings, wall_now
from api.series.views import (
    LaterRulesView,
    OccurrenceListView,
    PreviewView,
    SeriesEntryView,
    SeriesView,
    entry_view,
    occurrence_view,
    recurrence_view,
    rules_view,
)
from domain.errors import Conflict, Problem
from domain.pauses import series_gate
from domain.recurrence.expansion import FARTHEST
from domain.recurrence.rule import write_rrule
from domain.schedule import UnknownZone
from domain.series import AHEAD, OccurrenceShown, coming_occurrences
from store.models import Series
from store.pauses.pauses import find_pause_under_way
from store.series.listing import MOST_SHOWN, ListedOccurrence, list_occurrences
from store.series.rows import series_pattern, series_rules

_NEXT = 3
PREVIEWED = 50
"""Occurrences that a preview shows."""
LONGEST_TIME = timedelta(days=366)
"""The time whose occurrences one answer shows."""
_NO_ZONE = Problem(
    "The series' time zone no longer exists: give the series another timezone", "invalid_field_value", "timezone"
)


@contextmanager
def existing_zones() -> Iterator[None]:
    """Raise Conflict for a series whose zone the time zone data no longer have."""
    try:
        yield
    except UnknownZone:
        raise Conflict(_NO_ZONE) from None


async def show_series(deps: Dependencies, workspace_id: str, series_id: str) -> SeriesView:
    """Return a series of the workspace. Raises NotFound, Conflict."""
    async with deps.database.reading() as session:
        series = await require_series(session, workspace_id, series_id)
        with existing_zones():
            return await series_view(session, series)


async def series_view(session: AsyncSession, series: Series) -> SeriesView:
    """Return a series as clients read it."""
    now, pattern = now_ms(), series_pattern(series)
    wall = wall_now(now, pattern.segments[-1].timezone)
    present = pattern.segment_at(wall)
    pause = await find_pause_under_way(session, series.workspace_id, series_gate(series.id))
    later = [
        LaterRulesView(
            **rules_view(segment),
            effectiveFrom=segment.since.isoformat(),
            post=segment.content.post,
            variations=segment.content.variations,
        )
        for segment in pattern.segments
        if segment.since > max(wall, present.since)
    ]
    return SeriesView(
        **entry_view(series, present, is_paused=pause is not None),
        post=present.content.post,
        variations=present.content.variations,
        exclude=series.exclude,
        include=series.include,
        onBlackout="skip",
        later=later,
        next=[occurrence_view(listed) for listed in await _next(session, series, now)],
        pauseId=pause.id if pause else None,
        warnings=[*map(problem_view, (*same_text_warnings(present.content), *exclusion_warnings(pattern, now)))],
    )


async def _next(session: AsyncSession, series: Series, now: datetime) -> list[ListedOccurrence]:
    """Return the next occurrences that have posts, or get them."""
    coming = next(coming_occurrences(series_rules(series), now), None)
    if coming is None:
        return []
    end = max(coming.instant, series.made_until or now) + timedelta(seconds=1)
    listed = await list_occurrences(session, series, now, end, now)
    return list(islice((one for one in listed if one.state is not OccurrenceShown.SKIPPED), _NEXT))


async def series_entry(session: AsyncSession, series: Series) -> SeriesEntryView:
    """Return a series as lists show it."""
    rules = series_rules(series)
    pause = await find_pause_under_way(session, series.workspace_id, series_gate(series.id))
    present = rules.segment_at(wall_now(now_ms(), rules.segments[-1].timezone))
    return entry_view(series, present, is_paused=pause is not None)


async def show_occurrences(
    deps: Dependencies, workspace_id: str, series_id: str, first: datetime | None, end: datetime | None
) -> OccurrenceListView:
    """Return the occurrences of a time: by default of all that has posts. Raises NotFound, Conflict."""
    now = now_ms()
    async with deps.database.reading() as session:
        series = await require_series(session, workspace_id, series_id)
        begin = first or now
        last = end or max(begin, series.made_until or now) + (timedelta(seconds=1) if first is None else AHEAD)
        # Rules are not expanded further than posts may be scheduled: that would cost the more, the farther it is.
        last = min(last, begin + LONGEST_TIME, now + FARTHEST)
        with existing_zones():
            listed = await list_occurrences(session, series, begin, last, now, MOST_SHOWN + 1) if begin < last else []
    views = [occurrence_view(occurrence) for occurrence in listed[:MOST_SHOWN]]
    return OccurrenceListView(occurrences=views, hasMore=len(listed) > MOST_SHOWN)


def preview(body: PreviewBody) -> PreviewView:
    """Return the next occurrences of rules. Raises InvalidRequest."""
    now = now_ms()
    pattern = read_rules(body, now)
    (segment,) = pattern.segments
    rule = segment.recurrence
    coming = islice(coming_occurrences(pattern, now), PREVIEWED)
    return PreviewView(
        recurrence=recurrence_view(rule),
        rrule=write_rrule(rule, segment.start, segment.timezone),
        occurrences=[occurrence_view(ListedOccurrence(one, OccurrenceShown.PLANNED)) for one in coming],
        warnings=[*map(problem_view, exclusion_warnings(pattern, now))],
    )
