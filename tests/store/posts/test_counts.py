"""Posts are counted, and found for a calendar, in the entries of indexes."""

from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.post import PostStatus
from store.database import Database
from store.models import Post
from store.posts.calendar import first_of_days
from store.posts.counts import Grouping, count_posts
from store.posts.list_filters import Filter, shape_and_values
from tests.store.posts.test_lists import EPOCH, POSTS, Explain, Noting, filled, is_index_only, nodes

__all__ = ["filled"]

BEGINNINGS = [EPOCH + timedelta(days=number) for number in range(4)]


async def test_posts_are_found_in_indexes_only(filled: tuple[Database, str]) -> None:
    database, workspace = filled
    async with database.transaction() as session:
        # VACUUM marks pages as visible to all only after their commit is on the disk.
        await session.execute(text("SET LOCAL synchronous_commit = on"))
        await session.execute(text("UPDATE posts SET due_at = created_at WHERE scheduled_for IS NULL"))
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM (ANALYZE) posts"))
    period = Filter(scheduled_from=BEGINNINGS[0], scheduled_to=BEGINNINGS[-1], statuses=tuple(PostStatus), now=EPOCH)
    shape, values = shape_and_values(workspace, period, 100_000)
    others, _ = shape_and_values(workspace, Filter(now=EPOCH), 100_000)
    values |= {"beginnings": BEGINNINGS[:-1], "most_of_day": 50}
    async with database.transaction() as session:
        query = first_of_days(shape, others).params(values)
        ((explained,),) = (await session.execute(Explain(query))).all()
    scans: list[dict[str, Any]] = [
        node for node in nodes(explained[0]["Plan"]) if node.get("Relation Name") == Post.__tablename__
    ]
    assert scans
    assert all(is_index_only(scan) and scan["Heap Fetches"] == 0 for scan in scans), scans
    read = sum((scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"] for scan in scans)
    # Every second minute of three days has a post, and 10,000 were published at once within these days.
    assert read <= 3 * 24 * 30 + 10_000 + 10


DAYS = [EPOCH + timedelta(days=number) for number in range(3)]
OF_DAYS = Filter(scheduled_from=DAYS[0], scheduled_to=DAYS[-1] + timedelta(days=1), now=EPOCH)


class Counting(Noting):
    """A session that records its queries, but not the statement that limits their time."""

    async def execute(self, query: Any, values: dict[str, Any] | None = None) -> Any:
        return await self.session.execute(query) if values is None else await super().execute(query, values)


async def plan_scans(session: AsyncSession, workspace: str, conditions: Filter, *by: Grouping) -> list[dict[str, Any]]:
    counting = Counting(session)
    assert await count_posts(cast("AsyncSession", counting), workspace, conditions, by, DAYS, most=POSTS)
    scans = []
    for query in counting.queries:
        ((explained,),) = (await session.execute(Explain(query))).all()
        scans += [node for node in nodes(explained[0]["Plan"]) if node.get("Relation Name")]
    return scans


@pytest.mark.parametrize(
    ("conditions", "by", "most"),
    [
        (Filter(), (Grouping.STATUS,), POSTS),
        (Filter(statuses=(PostStatus.FAILED,)), (Grouping.STATUS,), POSTS // 500),
        (OF_DAYS, (Grouping.SCHEDULED,), 3 * 24 * 60),
        (OF_DAYS, (Grouping.SCHEDULED, Grouping.STATUS), 3 * 24 * 60),
        (Filter(created_from=DAYS[0], created_to=EPOCH + timedelta(seconds=900)), (Grouping.CREATED,), 2_000),
    ],
    ids=str,
)
async def test_no_post_is_read_to_count_it(
    filled: tuple[Database, str], conditions: Filter, by: tuple[Grouping, ...], most: int
) -> None:
    database, workspace = filled
    async with database.transaction() as session:
        scans = await plan_scans(session, workspace, conditions, *by)
        condition = "workspace_id = :workspace AND status = 'scheduled' AND scheduled_for <= now()"
        query = text(f"SELECT count(*) FROM posts WHERE {condition}")
        overdue = (await session.execute(query, {"workspace": workspace})).scalar_one()
    # The time of a scheduled post is read only if its own time has passed.
    scans = [scan for scan in scans if "Subplan Name" not in scan or scan["Actual Loops"] > overdue]
    assert all(is_index_only(scan) and scan["Heap Fetches"] == 0 for scan in scans), scans
    read = [(scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"] for scan in scans]
    # The posts are counted twice: in all, and by group.
    assert sum(read) <= 2 * most + 100, scans
