"""The posts of a calendar are found in the entries of indexes."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from domain.post import PostStatus
from store.database import Database
from store.models import Post
from store.posts.calendar import first_of_days
from store.posts.list_filters import Filter, shape_and_values
from tests.store.posts.test_lists import EPOCH, Explain, is_index_only, nodes

DAYS = [EPOCH + timedelta(days=number) for number in range(4)]


async def test_posts_are_found_in_indexes_only(filled: tuple[Database, str]) -> None:
    database, workspace = filled
    async with database.transaction() as session:
        # VACUUM marks pages as visible to all only after their commit is on the disk.
        await session.execute(text("SET LOCAL synchronous_commit = on"))
        await session.execute(text("UPDATE posts SET due_at = created_at WHERE scheduled_for IS NULL"))
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM (ANALYZE) posts"))
    period = Filter(scheduled_from=DAYS[0], scheduled_to=DAYS[-1], statuses=tuple(PostStatus), now=EPOCH)
    shape, values = shape_and_values(workspace, period, 100_000)
    others, _ = shape_and_values(workspace, Filter(now=EPOCH), 100_000)
    values |= {"beginnings": DAYS[:-1], "most_of_day": 50}
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
