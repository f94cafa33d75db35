"""Pages of a long list are read from an index, whatever they are narrowed by and sorted by."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import ClauseElement, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import Executable

from domain.post import PostStatus, TargetStatus
from store.database import Database
from store.lists import Filter, Order, list_posts, page_query, place_of
from store.workspaces import create_workspace
from tests.stack import new_database

POSTS = 20_000
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FILL = """
INSERT INTO posts (id, workspace_id, workflow_id, status, media_items, tags, timezone, scheduled_for, tiktok_settings,
                   facebook_settings, answer_bytes, created_at, updated_at)
SELECT 'post_' || lpad(n::text, 32, '0'), :workspace, 'post_' || lpad(n::text, 32, '0'),
       CASE WHEN n % 1000 = 0 THEN 'failed' WHEN n % 1000 = 1 THEN 'partial' WHEN n % 10 = 2 THEN 'scheduled'
            ELSE 'published' END,
       '[]', CASE WHEN n % 500 = 0 THEN ARRAY['rare', 'common'] ELSE ARRAY['common'] END, 'UTC',
       CASE WHEN n % 2 = 0 THEN CAST(:epoch AS timestamptz) + n * interval '1 minute' END, '{}', '{}', 1000,
       CAST(:epoch AS timestamptz) + n * interval '1 second', CAST(:epoch AS timestamptz) + n * interval '2 seconds'
FROM generate_series(1, :posts) AS n
"""
FILL_TARGETS = """
INSERT INTO targets (id, post_id, workspace_id, position, platform, account_id, settings, status)
SELECT 'tgt_' || lpad(n::text, 32, '0'), 'post_' || lpad(n::text, 32, '0'), :workspace, 0, 'twitter', 'tw_1', '{}',
       CASE WHEN n % 2000 = 2 THEN 'held' WHEN n % 2000 = 1 THEN 'unconfirmed' ELSE 'published' END
FROM generate_series(1, :posts) AS n
"""


class Explain(Executable, ClauseElement):
    """A query's plan as it was carried out."""

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
async def filled(postgres_url: str) -> AsyncIterator[tuple[Database, str]]:
    database = Database(await new_database(postgres_url))
    try:
        yield database, await fill(database)
    finally:
        await database.close()


async def fill(database: Database) -> str:
    async with database.transaction() as session:
        workspace = await create_workspace(session, "many")
        values = {"workspace": workspace, "posts": POSTS, "epoch": EPOCH}
        await session.execute(text(FILL), values)
        await session.execute(text(FILL_TARGETS), {"workspace": workspace, "posts": POSTS})
    async with database.transaction() as session:
        await session.execute(text("ANALYZE posts, targets"))
    return workspace


WEEK = Filter(order=Order.SCHEDULED, scheduled_from=EPOCH + timedelta(days=5), scheduled_to=EPOCH + timedelta(days=12))


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter(statuses=(PostStatus.FAILED,)),
        Filter(statuses=(PostStatus.FAILED, PostStatus.PARTIAL)),
        Filter(statuses=(PostStatus.PUBLISHED, PostStatus.FAILED, PostStatus.DRAFT)),
        Filter(target_statuses=(TargetStatus.HELD, TargetStatus.UNCONFIRMED)),
        Filter(statuses=(PostStatus.FAILED,), target_statuses=(TargetStatus.HELD,)),
        Filter(order=Order.SCHEDULED),
        WEEK,
        replace(WEEK, statuses=(PostStatus.SCHEDULED,)),
        Filter(order=Order.SCHEDULED, statuses=(PostStatus.FAILED,)),
        Filter(order=Order.UPDATED, updated_since=EPOCH + timedelta(seconds=2 * POSTS - 50)),
        Filter(order=Order.UPDATED),
        Filter(tags=("rare", "common")),
        Filter(platform="twitter", account_id="tw_1"),
    ],
    ids=str,
)
async def test_a_page_reads_little_more_than_it_shows(filled: tuple[Database, str], wanted: Filter) -> None:
    database, workspace = filled
    async with database.reading() as session:
        ((explained,),) = (await session.execute(Explain(page_query(workspace, wanted, 20)))).all()
        page = await list_posts(session, workspace, wanted, 20)
        assert page.posts
        following = replace(wanted, after=place_of(page.posts[-1], wanted.order))
        ((explained_next,),) = (await session.execute(Explain(page_query(workspace, following, 20)))).all()
    for plan in (explained[0]["Plan"], explained_next[0]["Plan"]):
        scans = [node for node in nodes(plan) if "Scan" in node["Node Type"] and "Subquery" not in node["Node Type"]]
        read = sum(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in scans
        )
        assert read < POSTS / 20, scans


async def test_orders_hold_from_page_to_page(filled: tuple[Database, str]) -> None:
    database, workspace = filled
    rare = (PostStatus.FAILED, PostStatus.PARTIAL)
    for order in Order:
        seen: list[str] = []
        wanted = Filter(statuses=rare, order=order)
        while True:
            async with database.reading() as session:
                page = await list_posts(session, workspace, wanted, 7)
            seen += [post.id for post in page.posts]
            if not page.more:
                break
            wanted = Filter(statuses=rare, order=order, after=place_of(page.posts[-1], order))
        # Failed posts are even, and only those are scheduled.
        assert len(seen) == len(set(seen)) == (20 if order is Order.SCHEDULED else 40)
        assert seen == sorted(seen, reverse=order is Order.CREATED)
