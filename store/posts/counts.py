"""Counts of the posts that a filter selects, by status, platform and day, and of those that accounts will publish."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, String, and_, bindparam, case, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import first_id
from domain.post import PostStatus
from store.models import Post, Target
from store.posts.list_filters import PARAMETERS, Filter, shape_and_values
from store.posts.list_queries import matching_posts

COUNT_WITHIN_S = 3.0
"""Seconds after which PostgreSQL ends a statement that counts."""
LIMIT_TIME = text(f"SET LOCAL statement_timeout = {COUNT_WITHIN_S * 1000:.0f}")


class Grouping(StrEnum):
    """A property of posts by which they are counted. The two times stand for their days."""

    STATUS = "status"
    PLATFORM = "platform"
    SCHEDULED = "scheduledFor"
    CREATED = "createdAt"


@dataclass(frozen=True, slots=True)
class PostCount:
    """The number of the posts of one group; a property by which they are not grouped is None.

    `day` is the number of the day among those that were asked for, from 0.
    """

    posts: int
    status: PostStatus | None = None
    platform: str | None = None
    day: int | None = None


@dataclass(frozen=True, slots=True)
class PostCounts:
    """The number of the posts that match, and of those of each group."""

    total: int
    groups: list[PostCount]


async def count_posts(
    session: AsyncSession,
    workspace_id: str,
    conditions: Filter,
    groupings: Sequence[Grouping],
    days: Sequence[datetime] = (),
    *,
    most: int,
) -> PostCounts | None:
    """Return the counts of each group that has posts, in the order of the groupings; None if more than `most` match.

    A post with targets on several platforms counts for each of them. `days` are the beginnings of the days, in their
    order. Limits the time of the statements in the rest of the transaction.
    """
    await session.execute(LIMIT_TIME)
    shape, values = shape_and_values(workspace_id, _with_statuses(conditions), most + 1)
    values |= {"days": _starts(groupings, days)}
    posts = matching_posts(shape).limit(PARAMETERS["count"]).subquery()
    total = (await session.execute(select(func.count()).select_from(posts), values)).scalar_one()
    if total > most:
        return None
    rows = (await session.execute(_grouped(posts, groupings), values)).all()
    return PostCounts(total, [_count(dict(row._mapping)) for row in rows])  # noqa: SLF001 it is public


def _count(row: dict[str, Any]) -> PostCount:
    status = row.pop("status", None)
    return PostCount(**row, status=None if status is None else PostStatus(status))


def _with_statuses(conditions: Filter) -> Filter:
    """Return a filter that names every status if it named none: then an index by status can be searched for times."""
    named = conditions.statuses or conditions.target_statuses
    return conditions if named else replace(conditions, statuses=tuple(PostStatus))


def _starts(groupings: Sequence[Grouping], days: Sequence[datetime]) -> list[Any]:
    # The time of creation is a part of the id, which every index has.
    return [first_id("post", day) for day in days] if Grouping.CREATED in groupings else list(days)


def _grouped(posts: Any, groupings: Sequence[Grouping]) -> Select[Any]:
    columns = {_NAMES[grouping]: _column(grouping, posts) for grouping in groupings}
    number = func.count(posts.c.id.distinct()) if Grouping.PLATFORM in groupings else func.count()
    query = select(*(column.label(name) for name, column in columns.items()), number.label("posts"))
    joined = posts.join(Target, Target.post_id == posts.c.id) if Grouping.PLATFORM in groupings else posts
    return query.select_from(joined).group_by(*columns.values()).order_by(*columns.values())


_NAMES = {
    Grouping.STATUS: "status",
    Grouping.PLATFORM: "platform",
    Grouping.SCHEDULED: "day",
    Grouping.CREATED: "day",
}
_DAYS = {
    Grouping.SCHEDULED: bindparam("days", type_=ARRAY(Post.scheduled_for.type)),
    Grouping.CREATED: bindparam("days", type_=ARRAY(String(collation="C"))),
}


def _column(grouping: Grouping, posts: Any) -> ColumnElement[Any]:
    match grouping:
        case Grouping.STATUS:
            # The time of the few that the end of a pause has moved is in no index.
            due_at = select(Post.due_at).where(Post.id == posts.c.id).scalar_subquery()
            now = PARAMETERS["now"]
            overdue = and_(posts.c.status == PostStatus.SCHEDULED.value, posts.c.scheduled_for <= now, due_at <= now)
            return case((overdue, literal(PostStatus.PUBLISHING.value)), else_=posts.c.status)
        case Grouping.PLATFORM:
            platform: ColumnElement[Any] = Target.__table__.c.platform
            return platform
        case Grouping.SCHEDULED:
            return func.width_bucket(posts.c.scheduled_for, _DAYS[grouping]) - 1
        case Grouping.CREATED:
            return func.width_bucket(posts.c.id, _DAYS[grouping]) - 1


# Every time zone's days begin at a quarter of an hour in UTC.
_PLANNED = text("""
SELECT platform, account_id, date_bin('15 minutes', due_at, 'epoch') AS since, count(*) AS posts
FROM targets
WHERE workspace_id = :workspace_id AND account_id = ANY(:account_ids) AND status = 'pending' AND begun_at IS NULL
  AND due_at BETWEEN :first AND :last AND post_id <> ALL(:without)
GROUP BY platform, account_id, since
""")


async def count_planned(
    session: AsyncSession,
    workspace_id: str,
    account_ids: Iterable[str],
    first: datetime,
    last: datetime,
    without: Iterable[str],
) -> list[tuple[tuple[str, str], datetime, int]]:
    """Return how many posts to these accounts are due in each quarter of an hour between two times.

    Each entry has platform and account, the beginning of the quarter, and the number. `without`: the ids of posts that
    do not count.
    """
    values = {
        "workspace_id": workspace_id,
        "account_ids": list(account_ids),
        "first": first,
        "last": last,
        "without": list(without),
    }
    return [((row.platform, row.account_id), row.since, row.posts) for row in await session.execute(_PLANNED, values)]
