"""Series for tests of their rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.recurrence.rule import Frequency, Recurrence
from domain.series import SeriesContent, SeriesPattern, SeriesSegment
from store.database import Database
from store.models import OccurrenceEntry, Post, Series
from store.posts.contents import post_content
from store.posts.queries import read_posts
from store.rows import lock_row
from store.series.planning import PlannedPosts, plan_series
from store.series.rows import list_entries, write_pattern

ZONE = "Europe/Berlin"
TARGETS = [TargetContent(platform="twitter", account_id="tw_1")]
DAILY = Recurrence(frequency=Frequency.DAILY)


def segment(
    start: datetime, rule: Recurrence = DAILY, *texts: str, zone: str = ZONE, campaign_id: str | None = None
) -> SeriesSegment:
    contents = [PostContent(content=text, targets=TARGETS, campaign_id=campaign_id) for text in texts or ("a tip",)]
    return SeriesSegment(
        since=start,
        timezone=zone,
        start=start,
        recurrence=rule,
        content=SeriesContent(post={}, variations=[], contents=contents),
    )


def tomorrow(clock: str = "09:00") -> datetime:
    """Return a wall time of tomorrow, by UTC."""
    day = datetime.now(UTC).date() + timedelta(days=1)
    return datetime.fromisoformat(f"{day}T{clock}:00")


async def add_series(database: Database, workspace: str, pattern: SeriesPattern, **columns: Any) -> str:
    now = datetime.now(UTC)
    series = Series(
        id=new_id("ser"), workspace_id=workspace, name="tips", plan_at=now, created_at=now, updated_at=now, **columns
    )
    write_pattern(series, pattern)
    async with database.transaction() as session:
        session.add(series)
    return series.id


async def plan(database: Database, workspace: str, series_id: str, now: datetime | None = None) -> PlannedPosts:
    async with database.transaction() as session:
        series = await lock_row(session, Series, workspace, series_id)
        assert series is not None
        return await plan_series(session, series, now or datetime.now(UTC))


async def plan_all(database: Database, workspace: str, series_id: str) -> None:
    while (await plan(database, workspace, series_id)).missing:
        pass


async def ledger(database: Database, series_id: str) -> dict[str, OccurrenceEntry]:
    async with database.reading() as session:
        return await list_entries(session, series_id, "0", "9")


async def posts_of_series(database: Database, series_id: str) -> dict[str, Post]:
    """Return the posts of a series by their occurrences."""
    async with database.transaction() as session:
        ids = list(await session.scalars(select(Post.id).where(Post.series_id == series_id)))
        posts = await read_posts(session, Post.id.in_(ids), lock=True)
    return {post.occurrence or "": post for _, post in sorted(posts.items(), key=lambda item: item[1].occurrence or "")}


def text(post: Post) -> str | None:
    return post_content(post).content
