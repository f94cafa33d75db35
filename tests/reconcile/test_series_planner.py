"""The planner beside the rest of a worker: with a worker's rights, and after rows were lost."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from structlog.testing import capture_logs

from domain.recurrence.expansion import Pattern
from reconcile.chains import plan_next
from reconcile.sweep import sweep
from store.models import OccurrenceEntry, Post, Series
from tests.stack import Stack
from tests.store.series.samples import DAILY, add_series, posts_of_series, segment, tomorrow


async def _plan_all(stack: Stack) -> None:
    while await plan_next(stack.worker_database, most_open_posts=100_000):
        pass


async def _deliver_all(stack: Stack, series_id: str) -> None:
    async with stack.database.transaction() as session:
        earlier = datetime.now(UTC) - timedelta(minutes=1)
        await session.execute(
            update(Post).where(Post.series_id == series_id).values(updated_at=earlier, next_delivery_at=None)
        )
    await sweep(stack.worker_database, stack.workflows)


async def test_worker_makes_posts_and_says_so(stack: Stack) -> None:
    rule = DAILY.model_copy(update={"count": 3})
    series_id = await add_series(stack.database, stack.workspace_id, Pattern([segment(tomorrow(), rule)]))
    with capture_logs() as lines:
        await _plan_all(stack)
    advanced = [line for line in lines if line["event"] == "series.advanced" and line["series_id"] == series_id]
    assert [(line["posts"], line["missing"]) for line in advanced] == [(3, 0)]
    assert len(await posts_of_series(stack.database, series_id)) == 3


async def test_post_whose_rows_were_lost_gets_the_next_workflow_id(stack: Stack) -> None:
    rule = DAILY.model_copy(update={"count": 1})
    series_id = await add_series(stack.database, stack.workspace_id, Pattern([segment(tomorrow(), rule)]))
    await _plan_all(stack)
    await _deliver_all(stack, series_id)
    ((occurrence, post),) = (await posts_of_series(stack.database, series_id)).items()
    assert post.workflow_id == f"{series_id}/{occurrence}"
    assert post.is_delivered
    # As after a restore of the database to a time before they were written; the workflow still sleeps.
    async with stack.database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == post.id))
        await session.execute(delete(OccurrenceEntry).where(OccurrenceEntry.series_id == series_id))
        now = datetime.now(UTC)
        await session.execute(update(Series).where(Series.id == series_id).values(plan_at=now, posts_made=0))
    await _plan_all(stack)
    await _deliver_all(stack, series_id)
    async with stack.database.reading() as session:
        again = await session.scalar(select(Post).where(Post.series_id == series_id))
    assert again is not None
    assert (again.occurrence, again.workflow_id) == (occurrence, f"{series_id}~2/{occurrence}")
    assert again.is_delivered
