"""The posts of a calendar, the first ones of each day and their number, and those of its feed.

A post is on the calendar at its `scheduled_for` or, if it was published at once, at its `due_at`. Drafts without a time
are on no day. A read takes two statements. The first reads the entries of indexes, unless a condition needs the posts'
targets or tags.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Integer, Select, bindparam, func, select, union_all

from domain.post import PostStatus
from store.database import Database
from store.models import Post
from store.posts.counts import LIMIT_TIME
from store.posts.list_filters import PARAMETERS, Filter, Order, Shape, shape_and_values
from store.posts.list_queries import matching_posts
from store.posts.lists import find_ids

TEXT_LENGTH = 80
"""Characters of a post's text on a calendar."""
MOST_TARGETS = 10
"""Targets of a post that a calendar shows. A post may have ten times as many, and a calendar thousands of posts."""
_KEPT = 200
"""The number of queries that are kept: clients choose the shapes of their calendars."""
_LAST_INSTANT = timedelta(microseconds=1)


class CalendarTarget(NamedTuple):
    """A target of a post on a calendar, by the columns of `targets`; `username` is None if the account was removed."""

    platform: str
    account_id: str
    username: str | None
    status: str
    confirming: bool
    hold_reason: str | None
    error_code: str | None
    next_attempt_at: datetime | None
    preflight_code: str | None


class CalendarThumbnail(NamedTuple):
    """The thumbnail of an upload that a post names."""

    token: str
    alt_text: str | None


class CalendarPost(NamedTuple):
    """A post on a calendar."""

    id: str
    version: int
    status: str
    at: datetime
    """When it is on the calendar."""
    scheduled_for: datetime | None
    due_at: datetime | None
    timezone: str
    campaign_id: str | None
    series_id: str | None
    text: str
    """The first characters of its text, or of the first target with its own text."""
    target_count: int
    thumbnail: CalendarThumbnail | None
    """That of the first of its files that has one, or of the first target with its own files."""
    targets: list[CalendarTarget]
    """The first `MOST_TARGETS` of them; those that failed or wait come first."""


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """The first posts of a day, the soonest first, and the number of all of its posts."""

    posts: list[CalendarPost]
    total: int


_SHOWN = f"""
SELECT posts.id, posts.version, posts.status, coalesce(posts.scheduled_for, posts.due_at),
  posts.scheduled_for, posts.due_at, posts.timezone, posts.campaign_id, posts.series_id,
  left(coalesce(posts.content, (
    SELECT custom_content FROM targets
    WHERE post_id = posts.id AND custom_content IS NOT NULL AND ($3::text IS NULL OR account_id = $3)
    ORDER BY position LIMIT 1
  ), ''), {TEXT_LENGTH}),
  (SELECT count(*)::int FROM targets WHERE post_id = posts.id AND ($3::text IS NULL OR account_id = $3)),
  (SELECT ROW(thumbnails.token, file.item ->> 'alt_text')
   FROM jsonb_array_elements(coalesce(nullif(posts.media_items, '[]'), (
     SELECT custom_media FROM targets
     WHERE post_id = posts.id AND custom_media IS NOT NULL AND ($3::text IS NULL OR account_id = $3)
     ORDER BY position LIMIT 1
   ))) WITH ORDINALITY AS file (item, number)
   JOIN uploads ON uploads.token = ANY (upload_tokens_v1(file.item ->> 'url'))
     AND uploads.workspace_id = posts.workspace_id AND uploads.state = 'ready'
   JOIN thumbnails ON thumbnails.upload_id = uploads.id AND thumbnails.content IS NOT NULL
   ORDER BY file.number LIMIT 1),
  ARRAY(SELECT ROW(targets.platform, targets.account_id, accounts.username, targets.status, targets.confirming,
                   targets.hold_reason, targets.error_code, targets.next_attempt_at, targets.preflight_code)
        FROM targets LEFT JOIN accounts
          ON accounts.workspace_id = targets.workspace_id AND accounts.id = targets.account_id
         AND accounts.platform = targets.platform
        WHERE targets.post_id = posts.id AND ($3::text IS NULL OR targets.account_id = $3)
        ORDER BY targets.status IN ('failed', 'unconfirmed', 'held') DESC, targets.position LIMIT {MOST_TARGETS})
FROM posts WHERE posts.id = ANY($1) AND posts.workspace_id = $2
  AND coalesce(posts.scheduled_for, posts.due_at) IS NOT NULL
"""  # noqa: S608 a number of ours


async def read_calendar(
    database: Database,
    workspace_id: str,
    conditions: Filter,
    beginnings: Sequence[datetime],
    *,
    only_account: str | None = None,
    most_of_day: int,
    most: int,
) -> list[CalendarDay] | None:
    """Return the days between neighbouring beginnings; None if more than `most` posts match the conditions.

    `conditions` may not limit the scheduled times themselves. `only_account`: other targets of the posts are left out.
    """
    period = replace(conditions, scheduled_from=beginnings[0], scheduled_to=beginnings[-1] - _LAST_INSTANT)
    # An index by status can only be searched for times if all statuses are named.
    scheduled = period if period.statuses or period.target_statuses else replace(period, statuses=tuple(PostStatus))
    shape, values = shape_and_values(workspace_id, scheduled, most + 1)
    others, _ = shape_and_values(workspace_id, conditions, most + 1)
    values |= {"beginnings": list(beginnings[:-1]), "most_of_day": most_of_day}
    async with database.transaction() as session:
        await session.execute(LIMIT_TIME)
        rows = (await session.execute(first_of_days(shape, others), values)).all()
    days: list[list[str]] = [[] for _ in beginnings[1:]]
    totals = [0] * len(days)
    for day, total, post_id in rows:
        days[day].append(post_id)
        totals[day] = total
    if sum(totals) > most:
        return None
    # A post may have been deleted, or moved to another time, in between.
    post_ids = [post_id for day in days for post_id in day]
    shown = await _read_posts(database, workspace_id, post_ids, only_account)
    return [
        CalendarDay(sorted((shown[post_id] for post_id in day if post_id in shown), key=_by_time), total)
        for day, total in zip(days, totals, strict=True)
    ]


def _by_time(post: CalendarPost) -> tuple[datetime, str]:
    return post.at, post.id


async def _read_posts(
    database: Database, workspace_id: str, post_ids: Sequence[str], only_account: str | None
) -> dict[str, CalendarPost]:
    rows = await database.rows(_SHOWN, post_ids, workspace_id, only_account) if post_ids else []
    posts = (
        CalendarPost._make(
            (
                *own,
                CalendarThumbnail._make(thumbnail) if thumbnail else None,
                list(map(CalendarTarget._make, targets)),
            )
        )
        for *own, thumbnail, targets in rows
    )
    return {post.id: post for post in posts}


@lru_cache(_KEPT)
def first_of_days(shape: Shape, others: Shape) -> Select[Any]:
    """Return the query for each day's number of posts and first posts: the day's number, the total, a post's id.

    `shape` is that of the posts with a time, `others` that of the posts that were published immediately.
    """
    scheduled = matching_posts(shape).with_only_columns(Post.id, Post.scheduled_for.label("at"))
    at_once = (
        matching_posts(others)
        .with_only_columns(Post.id, Post.due_at.label("at"))
        .where(
            Post.scheduled_for.is_(None),
            Post.due_at >= PARAMETERS["scheduled_from"],
            Post.due_at <= PARAMETERS["scheduled_to"],
        )
    )
    both = union_all(scheduled, at_once).limit(PARAMETERS["count"]).cte("matching")
    beginnings = bindparam("beginnings", type_=ARRAY(Post.scheduled_for.type))
    day = func.width_bucket(both.c.at, beginnings) - 1
    matching = (
        select(both.c.id, both.c.at, day.label("day")).cte("days").prefix_with("MATERIALIZED", dialect="postgresql")
    )
    totals = select(matching.c.day, func.count().label("total")).group_by(matching.c.day).subquery()
    number = func.row_number().over(partition_by=matching.c.day, order_by=(matching.c.at, matching.c.id))
    numbered = select(matching.c.day, matching.c.id, number.label("number")).subquery()
    first = select(totals.c.day, totals.c.total, numbered.c.id).join(numbered, numbered.c.day == totals.c.day)
    return first.where(numbered.c.number <= bindparam("most_of_day", type_=Integer()))


MOST_POSTS = 5_000
"""Posts of a feed: icalendar writes them in about a second."""
BEHIND, AHEAD = timedelta(days=30), timedelta(days=365)
CONTENT_LENGTH = 300
"""Characters of a post's text in a feed."""


class FeedPost(NamedTuple):
    """A post of a feed."""

    id: str
    version: int
    status: str
    scheduled_for: datetime
    due_at: datetime | None
    updated_at: datetime
    text: str
    platforms: list[str]
    """The names of its targets' platforms, each once."""


_POSTS = f"""
SELECT posts.id, posts.version, posts.status, posts.scheduled_for, posts.due_at, posts.updated_at,
  left(coalesce(posts.content, (
    SELECT custom_content FROM targets
    WHERE post_id = posts.id AND custom_content IS NOT NULL AND ($3::text IS NULL OR account_id = $3)
    ORDER BY position LIMIT 1
  ), ''), {CONTENT_LENGTH}),
  ARRAY(SELECT platform FROM targets WHERE post_id = posts.id AND ($3::text IS NULL OR account_id = $3)
        GROUP BY platform ORDER BY min(position))
FROM posts WHERE posts.id = ANY($1) AND posts.workspace_id = $2 AND posts.scheduled_for IS NOT NULL
ORDER BY posts.scheduled_for, posts.id
"""  # noqa: S608 a number of ours


async def read_feed(
    database: Database, workspace_id: str, conditions: Filter, now: datetime, only_account: str | None
) -> Sequence[FeedPost]:
    """Return the posts of a feed, the first first. `only_account`: other targets of the posts are left out."""
    named = replace(conditions, order=Order.SCHEDULED, statuses=conditions.statuses or tuple(PostStatus))
    async with database.reading() as session:
        upcoming = replace(named, scheduled_from=now, scheduled_to=now + AHEAD)
        post_ids = await find_ids(session, workspace_id, upcoming, MOST_POSTS)
        if len(post_ids) < MOST_POSTS:
            past = replace(named, scheduled_from=now - BEHIND, scheduled_to=now)
            post_ids += await find_ids(session, workspace_id, past, MOST_POSTS - len(post_ids))
    rows = await database.rows(_POSTS, post_ids, workspace_id, only_account) if post_ids else []
    return [FeedPost._make(row) for row in rows]
