"""The occurrences of a series over a time: those with posts, those without, and why."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.recurrence.expansion import Occurrence, Pattern, Segment, expand
from domain.schedule import resolve, zone_named
from domain.series import OccurrenceReason, OccurrenceShown, OccurrenceState
from store.models import OccurrenceEntry, Post, Series
from store.series.planning import CampaignTimes, read_campaign_times
from store.series.rows import list_entries, series_rules

MOST_SHOWN = 1_000
"""Occurrences of one answer."""
_WIDEST_OFFSET = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class ListedOccurrence:
    """An occurrence as clients see it."""

    occurrence: Occurrence
    state: OccurrenceShown
    reason: str | None = None
    post_id: str | None = None
    status: str | None = None
    """The status of its post."""
    scheduled_for: datetime | None = None
    """The time of its post, which a person may have changed."""


async def list_occurrences(
    session: AsyncSession, series: Series, first: datetime, end: datetime, now: datetime, most: int = MOST_SHOWN
) -> list[ListedOccurrence]:
    """Return the first occurrences with instants from `first` to before `end`, in the order of their wall times."""
    pattern, times = series_rules(series), await read_campaign_times(session, series)
    first_wall, end_wall = _wall(first) - _WIDEST_OFFSET, _wall(end) + _WIDEST_OFFSET
    within = (one for one in expand(pattern, first_wall, end_wall) if first <= one.instant < end)
    occurrences = {one.key: one for one in islice(within, most)}
    last_wall = max(occurrences) if len(occurrences) == most else end_wall.isoformat()
    entries = await list_entries(session, series.id, first_wall.isoformat(), last_wall + "~")
    posts = await _posts(session, [entry.post_id for entry in entries.values()])
    for key, entry in entries.items():
        # Another rule gave it, and its post is still there.
        if key not in occurrences and entry.post_id in posts and posts[entry.post_id].occurrence == key:
            occurrence = _occurrence(pattern, key)
            if first <= occurrence.instant < end:
                occurrences[key] = occurrence
    listed = [
        _listed(occurrence, entries.get(key), posts, times, now) for key, occurrence in sorted(occurrences.items())
    ]
    return listed[:most]


async def planned_occurrences(
    session: AsyncSession, series: Series, first: datetime, end: datetime, now: datetime
) -> list[Occurrence]:
    """Return the first occurrences with instants from `first` to before `end` that get their posts later.

    Usually these are the ones after `made_until`, so no post is read.
    """
    begin = max(first, now, series.made_until or now)
    if series.is_finished or begin >= end:
        return []
    pattern, times = series_rules(series), await read_campaign_times(session, series)
    first_wall, end_wall = _wall(begin) - _WIDEST_OFFSET, _wall(end) + _WIDEST_OFFSET
    within = (one for one in expand(pattern, first_wall, end_wall) if begin <= one.instant < end)
    entries = await list_entries(session, series.id, first_wall.isoformat(), end_wall.isoformat())
    return [
        occurrence
        for occurrence in islice(within, MOST_SHOWN)
        if occurrence.key not in entries and _reason(occurrence, times, now) is None
    ]


def _wall(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def _occurrence(pattern: Pattern[Segment], key: str) -> Occurrence:
    wall = datetime.fromisoformat(key)
    zone = pattern.segment_at(wall).timezone
    instant = resolve(key, zone).instant
    return Occurrence(wall, instant, instant.astimezone(zone_named(zone)).replace(tzinfo=None) != wall)


async def _posts(session: AsyncSession, post_ids: Collection[str]) -> dict[str, Post]:
    query = select(Post).where(Post.id.in_(post_ids))
    return {post.id: post for post in await session.scalars(query)}


def _listed(
    occurrence: Occurrence,
    entry: OccurrenceEntry | None,
    posts: dict[str, Post],
    times: CampaignTimes,
    now: datetime,
) -> ListedOccurrence:
    if entry is not None and entry.state == OccurrenceState.MADE:
        post = posts.get(entry.post_id)
        if post is None:
            return ListedOccurrence(occurrence, OccurrenceShown.SKIPPED, OccurrenceReason.DELETED)
        if post.occurrence != occurrence.key:
            return ListedOccurrence(occurrence, OccurrenceShown.SKIPPED, OccurrenceReason.DAY_TAKEN)
        state = OccurrenceShown.SKIPPED if post.skip_reason else OccurrenceShown.MADE
        return ListedOccurrence(occurrence, state, post.skip_reason, post.id, post.status, post.scheduled_for)
    if reason := _reason(occurrence, times, now):
        return ListedOccurrence(occurrence, OccurrenceShown.SKIPPED, reason)
    return ListedOccurrence(occurrence, OccurrenceShown.PLANNED)


def _reason(occurrence: Occurrence, times: CampaignTimes, now: datetime) -> str | None:
    if occurrence.skip is not None:
        return occurrence.skip
    if times.is_outside(occurrence.instant):
        return OccurrenceReason.OUTSIDE_WINDOW
    if times.closed.cover(occurrence.instant):
        return OccurrenceReason.BLACKOUT
    return OccurrenceReason.MISSED if occurrence.instant <= now else None
