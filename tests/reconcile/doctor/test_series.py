"""Findings about series: what lacks posts, what is gone, and what is at another instant than its wall time says."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from domain.recurrence.expansion import Pattern
from reconcile.doctor.findings import FindingKind, FixedBy
from reconcile.doctor.loose_ends import SERIES, find_loose_ends
from store.database import Database
from store.maintenance.series import count_behind_series
from store.models import OccurrenceEntry, Post, Series
from tests.store.series.samples import add_series, ledger, plan, posts_of_series, segment, tomorrow


async def _new(database: Database, workspace: str) -> str:
    series_id = await add_series(database, workspace, Pattern([segment(tomorrow())]))
    await plan(database, workspace, series_id)
    return series_id


async def test_series_that_has_its_posts_has_no_finding(database: Database, workspace: str) -> None:
    await _new(database, workspace)
    assert await find_loose_ends(database, workspace, SERIES) == []


async def test_series_that_no_worker_looks_at_is_behind(database: Database, workspace: str) -> None:
    series_id = await _new(database, workspace)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        assert await count_behind_series(session, now) == (0, 0)
        overdue = now - timedelta(minutes=11)
        await session.execute(update(Series).where(Series.id == series_id).values(plan_at=overdue))
    (finding,) = await find_loose_ends(database, workspace, SERIES)
    assert (finding.kind, finding.fixed_by) == (FindingKind.SERIES_BEHIND, FixedBy.PERSON)
    assert series_id in finding.what
    async with database.transaction() as session:
        assert await count_behind_series(session, now) == (1, 1)
        values = {"plan_at": now, "behind_since": overdue}
        await session.execute(update(Series).where(Series.id == series_id).values(values))
        # Workers look at it, and it has no room: that is no fault of the planner.
        assert await count_behind_series(session, now) == (1, 0)
        await session.execute(delete(Series).where(Series.id == series_id))


async def test_post_that_is_gone_without_a_deletion_is_missing(database: Database, workspace: str) -> None:
    series_id = await _new(database, workspace)
    key, post = next(iter((await posts_of_series(database, series_id)).items()))
    async with database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == post.id))
    (finding,) = await find_loose_ends(database, workspace, SERIES)
    assert (finding.kind, finding.fixed_by) == (FindingKind.OCCURRENCE_MISSING, FixedBy.PERSON)
    assert (finding.subject.post_id, finding.subject.workflow_id) == (post.id, f"{series_id}/{key}")


async def test_occurrence_without_an_entry_is_missing(database: Database, workspace: str) -> None:
    series_id = await _new(database, workspace)
    key = next(iter(await ledger(database, series_id)))
    async with database.transaction() as session:
        entry = OccurrenceEntry.series_id == series_id, OccurrenceEntry.occurrence == key
        await session.execute(delete(Post).where(Post.series_id == series_id, Post.occurrence == key))
        await session.execute(delete(OccurrenceEntry).where(*entry))
    (finding,) = await find_loose_ends(database, workspace, SERIES)
    assert (finding.kind, finding.fixed_by) == (FindingKind.OCCURRENCE_MISSING, FixedBy.SYSTEM)
    assert key in finding.what


async def test_post_at_another_instant_than_its_wall_time_differs(database: Database, workspace: str) -> None:
    series_id = await _new(database, workspace)
    post = next(iter((await posts_of_series(database, series_id)).values()))
    assert post.scheduled_for is not None
    moved = post.scheduled_for + timedelta(hours=1)
    async with database.transaction() as session:
        values = {"scheduled_for": moved, "due_at": moved}
        await session.execute(update(Post).where(Post.id == post.id).values(values))
    (finding,) = await find_loose_ends(database, workspace, SERIES)
    assert (finding.kind, finding.subject.post_id) == (FindingKind.WALL_DIFFERS, post.id)


async def test_database_refuses_a_second_post_of_an_occurrence(database: Database, workspace: str) -> None:
    series_id = await _new(database, workspace)
    first, second, *_ = (await posts_of_series(database, series_id)).values()
    with pytest.raises(IntegrityError, match="posts_of_series"):
        async with database.transaction() as session:
            await session.execute(update(Post).where(Post.id == second.id).values(occurrence=first.occurrence))
