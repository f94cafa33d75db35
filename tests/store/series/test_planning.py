"""Posts of occurrences: how far ahead they exist, once each, in rotation, and never of a campaign's blackouts."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import select, update

from domain.campaigns import Blackout, CampaignStatus
from domain.ids import new_id
from domain.post import PostStatus
from domain.recurrence.expansion import Pattern
from domain.recurrence.rule import Frequency, Recurrence
from domain.schedule import resolve
from reconcile.chains import plan_next
from store.database import Database
from store.models import Campaign, Post, Series
from store.series.planning import MOST_AT_ONCE
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
    tomorrow,
)


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
