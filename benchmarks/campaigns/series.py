"""The cost of making the posts of series ahead of their times, and of looking for what is missing."""

import time
from datetime import UTC, datetime

from sqlalchemy import delete, update

from benchmarks.campaigns.bench import Bench
from benchmarks.campaigns.measure import Bar, Figure, Job
from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.recurrence.expansion import Pattern
from domain.recurrence.rule import Frequency, Recurrence
from domain.series import SeriesContent, SeriesPattern, SeriesSegment, occurrences_ahead
from reconcile.series_planner import plan_next
from store.models import Post, Series
from store.series.rows import write_pattern

_SERIES_OF_POSTS = 10
"""One series for so many posts of a bulk operation: 1,000 by default, each with 60 posts."""


async def planning(bench: Bench) -> Job:
    """Measure the first 60 days of daily series, and an hourly look at all of them."""
    count = max(bench.posts // _SERIES_OF_POSTS, 1)
    pattern = _daily()
    began = time.perf_counter()
    for _ in range(count):
        posts = len(list(occurrences_ahead(pattern, datetime.now(UTC))))
    floor = time.perf_counter() - began
    with bench.stopped_worker():
        ids = await _add(bench, pattern, count)
        yield Figure(f"{count:,} series get {posts} posts each", await _plan(bench), "s", floor, Bar(most=60))
        async with bench.database.transaction() as session:
            await session.execute(update(Series).where(Series.id.in_(ids)).values(plan_at=datetime.now(UTC)))
        yield Figure(
            f"an hourly look at {count:,} series", await _plan(bench), "s", floor, Bar(most=max(count / 1000, 0.1))
        )
        async with bench.database.transaction() as session:
            await session.execute(delete(Post).where(Post.series_id.in_(ids)))
            await session.execute(delete(Series).where(Series.id.in_(ids)))


def _daily() -> SeriesPattern:
    start = datetime.fromisoformat(f"{datetime.now(UTC).date()}T09:00:00")
    content = PostContent(content="A tip", targets=[TargetContent(platform="mastodon", account_id="none")])
    return Pattern(
        [
            SeriesSegment(
                since=start,
                timezone="Europe/Berlin",
                start=start,
                recurrence=Recurrence(frequency=Frequency.DAILY),
                content=SeriesContent(post={}, variations=[], contents=[content]),
            )
        ]
    )


async def _add(bench: Bench, pattern: SeriesPattern, count: int) -> list[str]:
    now = datetime.now(UTC)
    rows = [
        Series(
            id=new_id("ser"),
            workspace_id=bench.workspace_id,
            name="tips",
            plan_at=now,
            created_at=now,
            updated_at=now,
        )
        for _ in range(count)
    ]
    for row in rows:
        write_pattern(row, pattern)
    ids = [row.id for row in rows]
    async with bench.database.transaction() as session:
        session.add_all(rows)
    return ids


async def _plan(bench: Bench) -> float:
    """Return the seconds until no series waits for the planner."""
    began = time.perf_counter()
    while await plan_next(bench.database):
        pass
    return time.perf_counter() - began
