"""Posts of occurrences: how far ahead they exist, once each, and which of them follow a changed series."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import select, update

from domain.audit import WORKER
from domain.campaigns import Blackout, CampaignStatus
from domain.ids import new_id
from domain.post import PostStatus
from domain.recurrence.expansion import Pattern
from domain.recurrence.rule import DayRule, Frequency, Recurrence, Weekday
from domain.schedule import resolve
from domain.series import SeriesPattern
from reconcile.chains import plan_next
from store.database import Database
from store.models import Campaign, Post, Series
from store.posts.contents import post_content, rewrite
from store.posts.queries import read_posts
from store.rows import lock_row
from store.series.editing import SeriesChange, change_posts
from store.series.planning import MOST_AT_ONCE, plan_series, read_campaign_times
from store.series.rows import series_rules, write_pattern
from tests.databases import add_workspace
from tests.statements import noting_statements
from tests.store.series.samples import (
    DAILY,
    ZONE,
    add_series,
    ledger,
    plan,
    plan_all,
    posts_of_series,
    segment,
    text,
    tomorrow,
)

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


async def test_posts_exist_sixty_days_ahead_at_their_wall_times(database: Database, workspace: str) -> None:
    series_id = await add_series(database, workspace, Pattern([segment(tomorrow())]))
    planned = await plan(database, workspace, series_id)
    posts = await posts_of_series(database, series_id)
    assert len(planned.posts) == len(posts)
    assert len(posts) in {59, 60}
    for occurrence, post in posts.items():
        assert post.status == PostStatus.SCHEDULED
        assert post.scheduled_wall == occurrence
        assert post.scheduled_for == post.due_at == resolve(occurrence, ZONE).instant
        assert post.workflow_id == f"{series_id}/{occurrence}"
        assert post.timezone == ZONE
        assert len(post.targets) == 1


async def test_frequent_occurrences_exist_five_hundred_ahead(database: Database, workspace: str) -> None:
    hourly = Recurrence(frequency=Frequency.DAILY, times=tuple(time(hour) for hour in range(24)))
    series_id = await add_series(database, workspace, Pattern([segment(tomorrow("00:00"), hourly)]))
    first = await plan(database, workspace, series_id)
    assert (len(first.posts), first.missing) == (MOST_AT_ONCE, 400)
    await plan_all(database, workspace, series_id)
    assert len(await posts_of_series(database, series_id)) == 500


async def test_each_occurrence_is_made_once_by_planners_at_the_same_time(database: Database, workspace: str) -> None:
    times = tuple(time(hour) for hour in (3, 8, 12, 18))
    pattern = Pattern([segment(tomorrow(), Recurrence(frequency=Frequency.DAILY, times=times))])
    series_id = await add_series(database, workspace, pattern)
    await asyncio.gather(*(plan(database, workspace, series_id) for _ in range(8)))
    await asyncio.gather(*(plan_next(database) for _ in range(8)))
    await plan_all(database, workspace, series_id)
    async with database.reading() as session:
        occurrences = list(await session.scalars(select(Post.occurrence).where(Post.series_id == series_id)))
    assert len(occurrences) == len(set(occurrences)) == len(await ledger(database, series_id))


async def test_past_occurrence_gets_no_post(database: Database, workspace: str) -> None:
    start = tomorrow() - timedelta(days=30)
    series_id = await add_series(database, workspace, Pattern([segment(start)]))
    await plan(database, workspace, series_id)
    now = datetime.now(UTC)
    assert all(post.due_at and post.due_at > now for post in (await posts_of_series(database, series_id)).values())


async def _add_campaign(database: Database, workspace: str, **columns: object) -> str:
    now = datetime.now(UTC)
    values = {"status": CampaignStatus.ACTIVE.value, "blackouts": [], **columns}
    times = {"timezone": ZONE, "created_at": now, "updated_at": now}
    campaign = Campaign(id=new_id("cmp"), workspace_id=workspace, name="spring", tags=[], **times, **values)
    async with database.transaction() as session:
        session.add(campaign)
    return campaign.id


async def test_blackouts_and_the_window_of_a_campaign_have_no_posts(database: Database, workspace: str) -> None:
    start = tomorrow()
    days = [start.date() + timedelta(days=day) for day in range(10)]
    campaign_id = await _add_campaign(
        database,
        workspace,
        blackouts=[Blackout(days[2], days[3]).as_json()],
        ends_at=resolve(f"{days[6]}T00:00:00", ZONE).instant,
    )
    series_id = await add_series(
        database, workspace, Pattern([segment(start, campaign_id=campaign_id)]), campaign_id=campaign_id
    )
    await plan(database, workspace, series_id)
    with_posts = [date.fromisoformat(key[:10]) for key in await posts_of_series(database, series_id)]
    assert with_posts == [days[0], days[1], days[4], days[5]]
    assert {post.campaign_id for post in (await posts_of_series(database, series_id)).values()} == {campaign_id}


@pytest.mark.parametrize("status", [CampaignStatus.DRAFT, CampaignStatus.ENDED])
async def test_campaign_that_may_not_schedule_gets_no_posts(
    database: Database, workspace: str, status: CampaignStatus
) -> None:
    campaign_id = await _add_campaign(database, workspace, status=status.value)
    series_id = await add_series(
        database, workspace, Pattern([segment(tomorrow(), campaign_id=campaign_id)]), campaign_id=campaign_id
    )
    assert (await plan(database, workspace, series_id)).posts == []


async def test_workspace_without_room_gets_no_more_posts(database: Database) -> None:
    workspace = await add_workspace(database)
    series_id = await add_series(database, workspace, Pattern([segment(tomorrow())]))
    while await plan_next(database, most_open_posts=7):
        pass
    assert len(await posts_of_series(database, series_id)) == 7


async def test_look_at_many_complete_series_takes_few_statements(
    database: Database, workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = await _add_campaign(database, workspace)
    pattern = Pattern([segment(tomorrow(), DAILY.model_copy(update={"count": 3}), campaign_id=campaign_id)])
    ids = [await add_series(database, workspace, pattern, campaign_id=campaign_id) for _ in range(20)]
    while await plan_next(database):
        pass
    async with database.transaction() as session:
        await session.execute(update(Series).where(Series.id.in_(ids)).values(plan_at=datetime.now(UTC)))
    with noting_statements(monkeypatch, own=True) as statements:
        assert await plan_next(database)
    assert len([statement for statement in statements if statement.concerns(*ids)]) <= 2
    assert len(statements) <= 6
    async with database.reading() as session:
        waiting = select(Series.id).where(Series.id.in_(ids), Series.plan_at > datetime.now(UTC))
        assert set(await session.scalars(waiting)) == set(ids)


async def test_series_that_cannot_be_planned_does_not_stop_the_others(database: Database, workspace: str) -> None:
    broken = await add_series(database, workspace, Pattern([segment(tomorrow(), zone="No/Where")]))
    sound = await add_series(database, workspace, Pattern([segment(tomorrow())]))
    async with database.transaction() as session:
        long_ago = datetime.now(UTC) - timedelta(days=1)
        await session.execute(update(Series).where(Series.id == broken).values(plan_at=long_ago))
    while await plan_next(database):
        pass
    assert await posts_of_series(database, sound)
    assert not await posts_of_series(database, broken)
    async with database.reading() as session:
        again_at = await session.scalar(select(Series.plan_at).where(Series.id == broken))
    assert again_at is not None
    assert again_at > datetime.now(UTC)
