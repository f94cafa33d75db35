"""A changed series: its posts follow, those that a person changed stay, and an edit back restores the same keys."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from domain.audit import WORKER
from domain.post import PostStatus
from domain.recurrence.expansion import Pattern
from domain.recurrence.rule import DayRule, Frequency, Recurrence, Weekday
from domain.series import SeriesPattern
from store.database import Database
from store.models import Post, Series
from store.posts.contents import post_content, rewrite
from store.posts.queries import read_posts
from store.rows import lock_row
from store.series.editing import SeriesChange, change_posts
from store.series.planning import plan_series, read_campaign_times
from store.series.rows import series_rules, write_pattern
from tests.store.series.samples import DAILY, add_series, plan, posts_of_series, segment, text, tomorrow

_MONDAYS = Recurrence(frequency=Frequency.WEEKLY, by_day=(DayRule(day=Weekday.MO),))


async def _new(database: Database, workspace: str, *texts: str) -> tuple[str, SeriesPattern]:
    pattern: SeriesPattern = Pattern([segment(tomorrow(), DAILY, *texts)])
    series_id = await add_series(database, workspace, pattern)
    await plan(database, workspace, series_id)
    return series_id, pattern


async def _change(
    database: Database, workspace: str, series_id: str, pattern: SeriesPattern, *, override: bool = False
) -> SeriesChange:
    now = datetime.now(UTC)
    async with database.transaction() as session:
        series = await lock_row(session, Series, workspace, series_id)
        assert series is not None
        before = series_rules(series)
        write_pattern(series, pattern)
        times = await read_campaign_times(session, series)
        change = await change_posts(session, series, before, pattern, times, WORKER, now, override=override)
        await plan_series(session, series, now)
        return change


async def _edit_alone(database: Database, post: Post, **changes: object) -> None:
    async with database.transaction() as session:
        locked = (await read_posts(session, Post.id.in_([post.id]), lock=True))[post.id]
        content = post_content(locked).model_copy(update=changes)
        rewrite(
            locked, content, WORKER, status=PostStatus.SCHEDULED, due_at=content.scheduled_for, now=datetime.now(UTC)
        )


async def test_new_content_reaches_all_posts_but_those_that_were_changed_alone(
    database: Database, workspace: str
) -> None:
    series_id, _ = await _new(database, workspace)
    edited, *others = await posts_of_series(database, series_id)
    await _edit_alone(database, (await posts_of_series(database, series_id))[edited], content="by hand")
    new = Pattern([segment(tomorrow(), DAILY, "new")])
    change = await _change(database, workspace, series_id, new)
    assert (change.changed, change.kept_edited, change.removed) == (others, [edited], [])
    texts = {key: text(post) for key, post in (await posts_of_series(database, series_id)).items()}
    assert texts == {edited: "by hand", **dict.fromkeys(others, "new")}
    # Nothing is left to do.
    assert not (await _change(database, workspace, series_id, new)).changed
    overridden = await _change(database, workspace, series_id, new, override=True)
    assert overridden.changed == [edited]
    assert text((await posts_of_series(database, series_id))[edited]) == "new"


async def test_change_of_the_time_alone_is_an_edit_too(database: Database, workspace: str) -> None:
    series_id, _ = await _new(database, workspace)
    key, post = next(iter((await posts_of_series(database, series_id)).items()))
    assert post.scheduled_for is not None
    moved = post.scheduled_for + timedelta(hours=3)
    await _edit_alone(database, post, scheduled_for=moved, scheduled_wall=None)
    change = await _change(database, workspace, series_id, Pattern([segment(tomorrow(), _MONDAYS)]))
    assert change.kept_edited == [key]
    assert (await posts_of_series(database, series_id))[key].due_at == moved


async def test_move_by_new_time_zone_data_is_no_edit(database: Database, workspace: str) -> None:
    series_id, _ = await _new(database, workspace)
    key, post = next(iter((await posts_of_series(database, series_id)).items()))
    assert post.scheduled_for is not None
    await _edit_alone(database, post, scheduled_for=post.scheduled_for + timedelta(hours=1))
    change = await _change(database, workspace, series_id, Pattern([segment(tomorrow(), DAILY, "new")]))
    assert change.kept_edited == []
    assert key in change.changed


async def test_post_that_has_begun_is_not_touched(database: Database, workspace: str) -> None:
    series_id, _ = await _new(database, workspace)
    key, post = next(iter((await posts_of_series(database, series_id)).items()))
    async with database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(status=PostStatus.PUBLISHING))
    change = await _change(database, workspace, series_id, Pattern([segment(tomorrow(), _MONDAYS, "new")]))
    assert change.untouched == [key]
    assert text((await posts_of_series(database, series_id))[key]) == "a tip"


@pytest.mark.parametrize("override", [False, True])
async def test_draft_that_a_person_made_of_a_post_stays_unless_it_is_overridden(
    database: Database, workspace: str, override: bool
) -> None:
    series_id, _ = await _new(database, workspace)
    key, post = next(iter((await posts_of_series(database, series_id)).items()))
    async with database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(status=PostStatus.DRAFT, due_at=None))
    pattern = Pattern([segment(tomorrow(), DAILY, "new")])
    change = await _change(database, workspace, series_id, pattern, override=override)
    assert (key in change.changed) == override
    status = (await posts_of_series(database, series_id))[key].status
    assert status == (PostStatus.SCHEDULED if override else PostStatus.DRAFT)
