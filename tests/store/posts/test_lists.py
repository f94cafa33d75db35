"""Pages of a long list are read from an index, with every filter and order."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import ClauseElement, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import Executable

from domain.ids import first_id
from domain.post import PostStatus, TargetStatus
from store.database import Database
from store.models import Post, PostTag
from store.posts.list_filters import Filter, Order, shape_and_values
from store.posts.list_queries import WINDOW, find, ordered_query
from store.posts.lists import list_posts
from store.workspaces.keys import create_workspace

POSTS = 20_000
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FILL = """
INSERT INTO posts (id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for,
                   tiktok_settings, facebook_settings, answer_bytes, created_at, updated_at, campaign_id, due_at)
SELECT 'post_' || lpad(to_hex(1767225600000 + n * 1000), 12, '0') || lpad(n::text, 20, '0'), :workspace, n::text,
       CASE WHEN n % 1000 = 0 THEN 'failed' WHEN n % 1000 = 1 THEN 'partial' WHEN n % 10 = 2 THEN 'scheduled'
            ELSE 'published' END,
       repeat('A post has some hundred characters. ', 15), '[]',
       CASE WHEN n % 500 = 0 THEN ARRAY['rare', 'common'] ELSE ARRAY['common'] END, 'UTC',
       CASE WHEN n % 2 = 0 THEN CAST(:epoch AS timestamptz) + n * interval '1 minute' END, '{}', '{}', 1000,
       CAST(:epoch AS timestamptz) + n * interval '1 second', CAST(:epoch AS timestamptz) + n * interval '2 seconds',
       CASE WHEN n <= 8000 AND n % 10 = 0 THEN 'cmp_old' END,
       CASE WHEN n % 10 = 2 THEN CAST(:epoch AS timestamptz) + n * interval '1 minute' END
FROM generate_series(1, CAST(:posts AS bigint)) AS n
"""
FILL_TARGETS = """
INSERT INTO targets (id, post_id, workspace_id, position, platform, account_id, settings, status)
SELECT 'tgt_' || lpad(n::text, 32, '0'), id, :workspace, 0, 'twitter',
       CASE WHEN n % 7 = 0 THEN 'tw_2' ELSE 'tw_1' END, '{}',
       CASE WHEN n % 2000 = 2 THEN 'held' WHEN n % 2000 = 1 THEN 'unconfirmed' ELSE 'published' END
FROM (SELECT id, workflow_id::int AS n FROM posts WHERE workspace_id = :workspace) AS posts
"""


class Explain(Executable, ClauseElement):
    """A query's execution plan, with its actual counts."""

    inherit_cache = False

    def __init__(self, query: Any) -> None:
        self.query = query


@compiles(Explain)
def _explained(element: Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN (ANALYZE, FORMAT JSON) {compiler.process(element.query, **options)}"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.fixture(scope="module")
async def filled(database: Database) -> tuple[Database, str]:
    return database, await fill(database)


async def fill(database: Database) -> str:
    async with database.transaction() as session:
        workspace = await create_workspace(session, "many")
        values = {"workspace": workspace, "posts": POSTS, "epoch": EPOCH}
        # VACUUM marks pages as visible to all only after their commit is on the disk.
        await session.execute(text("SET LOCAL synchronous_commit = on"))
        await session.execute(text(FILL), values)
        await session.execute(text(FILL_TARGETS), {"workspace": workspace})
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        # As autovacuum does. Without it, PostgreSQL reads a post to know whether its entry in an index is current.
        await connection.execute(text("VACUUM (ANALYZE) posts, targets"))
    return workspace


def numbered_id(number: int) -> str:
    """Return the id of a post, which is created this many seconds after EPOCH."""
    return first_id("post", EPOCH + timedelta(seconds=number))[:-20] + str(number).zfill(20)


WEEK = Filter(order=Order.SCHEDULED, scheduled_from=EPOCH + timedelta(days=5), scheduled_to=EPOCH + timedelta(days=12))


class Noting:
    """A session that records its queries."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.queries: list[Any] = []

    async def execute(self, query: Any, values: dict[str, Any]) -> Any:
        self.queries.append(query.params(values))
        return await self.session.execute(query, values)


async def rows_read(session: AsyncSession, workspace: str, conditions: Filter) -> tuple[float, list[dict[str, Any]]]:
    """Return how many rows and index entries are read to find a page, and the scans that do so."""
    noting = Noting(session)
    await find(cast("AsyncSession", noting), workspace, conditions, 21)
    scans = []
    for query in noting.queries:
        ((explained,),) = (await session.execute(Explain(query))).all()
        plan_nodes = nodes(explained[0]["Plan"])
        scans += [node for node in plan_nodes if "Scan" in node["Node Type"] and "Subquery" not in node["Node Type"]]
    rows = ((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in scans)
    return sum(rows), scans


@pytest.mark.parametrize(
    "conditions",
    [
        Filter(),
        Filter(statuses=(PostStatus.FAILED,)),
        Filter(statuses=(PostStatus.FAILED, PostStatus.PARTIAL)),
        Filter(statuses=(PostStatus.PUBLISHED, PostStatus.FAILED, PostStatus.DRAFT)),
        Filter(target_statuses=(TargetStatus.HELD, TargetStatus.UNCONFIRMED)),
        Filter(statuses=(PostStatus.FAILED,), target_statuses=(TargetStatus.HELD,)),
        Filter(order=Order.SCHEDULED),
        WEEK,
        replace(WEEK, statuses=(PostStatus.SCHEDULED,), now=EPOCH),
        Filter(statuses=(PostStatus.PUBLISHING,), now=EPOCH + timedelta(hours=1)),
        Filter(statuses=(PostStatus.SCHEDULED,), now=EPOCH + timedelta(hours=1)),
        Filter(order=Order.SCHEDULED, statuses=(PostStatus.FAILED,)),
        Filter(order=Order.UPDATED, updated_since=EPOCH + timedelta(seconds=2 * POSTS - 50)),
        Filter(order=Order.UPDATED),
        Filter(tags=("rare", "common")),
        Filter(platform="twitter", account_id="tw_1"),
        Filter(campaign_id="cmp_old"),
        Filter(campaign_id="cmp_old", order=Order.UPDATED),
        Filter(campaign_id="cmp_old", statuses=(PostStatus.PUBLISHED,)),
    ],
    ids=str,
)
async def test_a_page_reads_little_more_than_it_shows(filled: tuple[Database, str], conditions: Filter) -> None:
    database, workspace = filled
    page = await list_posts(database, workspace, conditions, 20)
    assert page.posts
    async with database.reading() as session:
        for page_conditions in (conditions, replace(conditions, after=page.last)) if page.last else (conditions,):
            read, scans = await rows_read(session, workspace, page_conditions)
            assert read < 3 * WINDOW, scans


OLD = EPOCH + timedelta(seconds=4000)
"""4,000 posts are created until then."""
LATER = {"scheduled_from": EPOCH + timedelta(minutes=5000), "updated_since": EPOCH + timedelta(seconds=2 * 5000)}
"""Each is true of 15,000 posts at most, and of no old one."""


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("later", LATER)
async def test_two_times_are_compared_without_reading_posts(
    filled: tuple[Database, str], order: Order, later: str
) -> None:
    database, workspace = filled
    both: dict[str, Any] = {"created_to": OLD, later: LATER[later]}
    async with database.reading() as session:
        for conditions in (Filter(order=order, **both), Filter(order=order, statuses=(PostStatus.PUBLISHED,), **both)):
            _, scans = await rows_read(session, workspace, conditions)
            of_posts = [scan for scan in scans if scan.get("Relation Name") == "posts"]
            read = sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in of_posts if not is_index_only(scan))
            assert read == 0, of_posts
            assert sum(scan.get("Heap Fetches", 0) for scan in of_posts) == 0


def is_index_only(scan: dict[str, Any]) -> bool:
    return bool(scan["Node Type"] == "Index Only Scan")


async def test_orders_hold_from_page_to_page(filled: tuple[Database, str]) -> None:
    database, workspace = filled
    rare = (PostStatus.FAILED, PostStatus.PARTIAL)
    for order in Order:
        seen: list[str] = []
        conditions = Filter(statuses=rare, order=order)
        while True:
            page = await list_posts(database, workspace, conditions, 7)
            seen += [post.id for post in page.posts]
            if not page.more:
                break
            conditions = Filter(statuses=rare, order=order, after=page.last)
        # The failed posts are those with even numbers, and only those are scheduled.
        assert len(seen) == len(set(seen)) == (20 if order is Order.SCHEDULED else 40)
        assert seen == sorted(seen, reverse=order is Order.CREATED)


@pytest.mark.thorough
async def test_every_query_plan_finds_the_same_posts(filled: tuple[Database, str]) -> None:
    """Whichever indexes are read first, a list has the posts and the order that its conditions define."""
    database, workspace = filled
    parts: list[dict[str, Any]] = [
        {"statuses": (PostStatus.FAILED, PostStatus.PARTIAL)},
        {"target_statuses": (TargetStatus.HELD,)},
        {"tags": ("common",)},
        {"tags": ("rare",)},
        {"platform": "twitter"},
        {"account_id": "tw_2"},
        {"campaign_id": "cmp_old"},
        {"scheduled_from": EPOCH + timedelta(days=3), "scheduled_to": EPOCH + timedelta(days=4)},
        {"updated_since": EPOCH + timedelta(seconds=2 * POSTS - 3000)},
        {"created_from": EPOCH + timedelta(seconds=4000), "created_to": EPOCH + timedelta(seconds=6000)},
    ]
    async with database.reading() as session:
        for first, two, order in itertools.product(parts, parts, Order):
            conditions = Filter(**{**first, **two}, order=order)
            shape, values = shape_and_values(workspace, conditions, 30)
            simple = (await session.execute(ordered_query(shape), values)).all()
            assert [row.id for row in await find(session, workspace, conditions, 30)] == [row.id for row in simple], (
                conditions
            )


async def test_tags_are_kept_beside_the_posts(filled: tuple[Database, str]) -> None:
    database, _ = filled
    async with database.transaction() as session:
        post_id = numbered_id(7)

        async def tags() -> list[str]:
            return list(
                await session.scalars(select(PostTag.tag).where(PostTag.post_id == post_id).order_by(PostTag.tag))
            )

        assert await tags() == ["common"]
        await session.execute(update(Post).where(Post.id == post_id).values(tags=["b", "a", "b"]))
        assert await tags() == ["a", "b"]
        await session.execute(update(Post).where(Post.id == post_id).values(tags=[]))
        assert await tags() == []
        await session.execute(update(Post).where(Post.id == post_id).values(tags=["common"]))
        other = numbered_id(8)
        await session.execute(delete(Post).where(Post.id == other))
        assert not await session.scalar(select(PostTag.tag).where(PostTag.post_id == other))
