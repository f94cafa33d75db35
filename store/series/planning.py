"""The making of posts for occurrences that come: each once, under the lock of the series' row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from domain.campaigns import CampaignStatus
from domain.ids import made_at, new_id, workflow_id
from domain.post import PostStatus
from domain.queues import NEVER, TimeRanges, closed_by_campaign
from domain.recurrence.expansion import Occurrence
from domain.series import OccurrenceState, SeriesPattern, content_digest, occurrences_ahead
from store.campaigns.campaigns import join_campaign
from store.due import Due
from store.models import OccurrenceEntry, Post, Series
from store.posts.contents import NewPost, new_columns
from store.posts.creating import create_posts
from store.rows import count_rows
from store.series.rows import list_entries, series_pattern, series_rules

MOST_AT_ONCE = 100
"""Posts that one transaction makes; the planner makes the others in the next."""
LOOK_EVERY = timedelta(hours=1)
"""How often a series is looked at: the farthest post that it gets is 60 days ahead."""
_NO_ROOM_FOR = timedelta(minutes=5)
"""How long a series waits if its workspace has no room for more posts."""


_AFTER = "~"
"""A character that is after all those of wall times."""
_KEYS = text("""
SELECT series.id, ARRAY(
  SELECT occurrence FROM occurrences
  WHERE series_id = series.id AND occurrence BETWEEN series.first AND series.last AND state = 'made'
)
FROM unnest(CAST(:ids AS text[]), CAST(:first AS text[]), CAST(:last AS text[])) AS series (id, first, last)
""")
"""The occurrences of each series that have posts: one row a series, because usually all of a range have them."""
_OPEN = (PostStatus.DRAFT, PostStatus.SCHEDULED, PostStatus.PUBLISHING)


@dataclass(frozen=True, slots=True)
class PlannedPosts:
    """The posts that were made for a series, and how many more it needs now."""

    posts: Sequence[NewPost]
    missing: int


@dataclass(frozen=True, slots=True)
class CampaignTimes:
    """The times at which the posts of a series may be published, by its campaign; those of a series without one."""

    may_schedule: bool = True
    """Whether posts may be made at all: not before the campaign is started, and not after its end."""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    closed: TimeRanges = NEVER
    """When no post may be published: outside of the window, and in blackouts."""

    def is_outside(self, instant: datetime) -> bool:
        """Return whether an instant is before the start or not before the end of the campaign."""
        return bool((self.starts_at and instant < self.starts_at) or (self.ends_at and instant >= self.ends_at))


async def read_campaign_times(session: AsyncSession, series: Series) -> CampaignTimes:
    """Return the times of a series' campaign, and keep it from being deleted until the transaction ends."""
    if series.campaign_id is None:
        return CampaignTimes()
    rules = await join_campaign(session, series.workspace_id, series.campaign_id)
    if rules is None:
        return CampaignTimes(may_schedule=False)
    may_schedule = rules.status in {CampaignStatus.ACTIVE, CampaignStatus.PAUSED}
    return CampaignTimes(may_schedule, rules.starts_at, rules.ends_at, closed_by_campaign(rules))


async def claim_series(session: AsyncSession, now: datetime, most: int) -> Sequence[Series]:
    """Lock up to `most` series that wait for the planner, the longest waiting first, without their contents.

    Those that are locked already are left out.
    """
    query = _waiting(now).order_by(Series.plan_at, Series.id).limit(most).options(defer(Series.contents))
    return list(await session.scalars(query))


async def claim_one(session: AsyncSession, series_id: str, now: datetime) -> Series | None:
    """Lock a series if it still waits for the planner; None if it does not, or is locked already."""
    return await session.scalar(_waiting(now).where(Series.id == series_id))


TO_PLAN = Due("series", "series.plan_at <= :now")


def _waiting(now: datetime) -> Select[Series]:
    return select(Series).where(TO_PLAN.at(now)).with_for_update(skip_locked=True)


async def postpone_complete(session: AsyncSession, claimed: Sequence[Series], now: datetime) -> list[str]:
    """Let those of locked series that lack no post wait for their next look; return the ids of the others.

    Usually that is all of them, so few statements read and write them together.
    """
    times: dict[tuple[str, str | None], CampaignTimes] = {}
    ahead: dict[str, list[Occurrence]] = {}
    for series in claimed:
        campaign = (series.workspace_id, series.campaign_id)
        try:
            if campaign not in times:
                times[campaign] = await read_campaign_times(session, series)
            ahead[series.id] = _occurrences_ahead(series, times[campaign], now)
        except SQLAlchemyError:
            raise
        except Exception:  # noqa: BLE001, S112 `plan_series` raises it again, for this series alone
            continue
    missing = await _missing(session, ahead)
    for series in claimed:
        if missing.get(series.id) == []:
            campaign = (series.workspace_id, series.campaign_id)
            _set_planned(series, ahead[series.id], now, may_schedule=times[campaign].may_schedule)
    await session.flush()
    return [series.id for series in claimed if missing.get(series.id) != []]


async def plan_series(session: AsyncSession, series: Series, now: datetime, most_open_posts: int = 0) -> PlannedPosts:
    """Make posts for the occurrences of a locked series that come and have none, at most MOST_AT_ONCE.

    An occurrence that has an entry in the ledger gets no other post, unless a change of the series has withdrawn it.
    `most_open_posts`: how many posts of the workspace may be open; 0 for any number.
    """
    times = await read_campaign_times(session, series)
    ahead = _occurrences_ahead(series, times, now)
    missing = (await _missing(session, {series.id: ahead}))[series.id]
    posts: list[NewPost] = []
    room = await _room(session, series, most_open_posts) if missing else MOST_AT_ONCE
    if batch := missing[: max(0, room)]:
        pattern = series_pattern(series)
        entries = await list_entries(session, series.id, batch[0].key, batch[-1].key + _AFTER)
        posts = [_make(session, series, pattern, occurrence, entries.get(occurrence.key)) for occurrence in batch]
        await create_posts(session, posts)
    left_over = len(missing) - len(posts)
    if left_over:
        has_room = len(posts) == MOST_AT_ONCE
        series.plan_at = now if has_room else now + _NO_ROOM_FOR
        series.behind_since = series.behind_since or (None if has_room else now)
        series.is_finished = False
    else:
        _set_planned(series, ahead, now, may_schedule=times.may_schedule)
    await session.flush()
    return PlannedPosts(posts, left_over)


def _set_planned(series: Series, ahead: Sequence[Occurrence], now: datetime, *, may_schedule: bool) -> None:
    """Note that all these occurrences of a series have posts."""
    series.plan_at, series.behind_since = now + LOOK_EVERY, None
    if ahead:
        series.made_until = ahead[-1].instant
    series.is_finished = may_schedule and not ahead


def _occurrences_ahead(series: Series, times: CampaignTimes, now: datetime) -> list[Occurrence]:
    return list(occurrences_ahead(series_rules(series), now, times.closed)) if times.may_schedule else []


async def missing_occurrences(session: AsyncSession, series: Series, now: datetime) -> list[str]:
    """Return the wall times of the occurrences of a series that should have posts now, and have none."""
    times = await read_campaign_times(session, series)
    missing = await _missing(session, {series.id: _occurrences_ahead(series, times, now)})
    return [occurrence.key for occurrence in missing[series.id]]


async def _missing(session: AsyncSession, ahead: Mapping[str, Sequence[Occurrence]]) -> dict[str, list[Occurrence]]:
    """Return those of the occurrences of each series that have no post, by the series' id."""
    ranges = [
        (series_id, occurrences[0].key, occurrences[-1].key) for series_id, occurrences in ahead.items() if occurrences
    ]
    keys: dict[str, set[str]] = {}
    if ranges:
        ids, first, last = map(list, zip(*ranges, strict=True))
        rows = await session.execute(_KEYS, {"ids": ids, "first": first, "last": last})
        keys = {series_id: set(occurrences) for series_id, occurrences in rows}
    return {
        series_id: [occurrence for occurrence in occurrences if occurrence.key not in keys.get(series_id, ())]
        for series_id, occurrences in ahead.items()
    }


async def _room(session: AsyncSession, series: Series, most_open_posts: int) -> int:
    """Return how many posts the series may get now."""
    if not most_open_posts:
        return MOST_AT_ONCE
    still_open = (Post.workspace_id == series.workspace_id, Post.status.in_(_OPEN))
    return min(most_open_posts - await count_rows(session, *still_open, most=most_open_posts), MOST_AT_ONCE)


def _make(
    session: AsyncSession,
    series: Series,
    pattern: SeriesPattern,
    occurrence: Occurrence,
    entry: OccurrenceEntry | None,
) -> NewPost:
    """Return the post of an occurrence, and write it into the ledger."""
    post_id = new_id("post")
    if entry is None:
        entry = OccurrenceEntry(
            series_id=series.id, occurrence=occurrence.key, variation=series.posts_made, generation=1, post_id=post_id
        )
        session.add(entry)
        series.posts_made += 1
    else:
        entry.generation += 1
    content = pattern.segment_at(occurrence.wall).content_at(occurrence, entry.variation)
    entry.state, entry.post_id = OccurrenceState.MADE.value, post_id
    entry.content_sha256, entry.made_at = content_digest(content), made_at(post_id)
    post = new_columns(
        post_id,
        series.workspace_id,
        # The series' id is in the place of a workspace, so no client's key can name the same workflow.
        workflow_id(series.id, post_id, occurrence.key, entry.generation),
        content,
        status=PostStatus.SCHEDULED,
        due_at=occurrence.instant,
        now=made_at(post_id),
    )
    post.columns.update(series_id=series.id, occurrence=occurrence.key)
    return post
