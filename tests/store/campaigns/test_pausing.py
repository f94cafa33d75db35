"""A campaign is paused and moved in one transaction with its operation, and only its own posts change."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import WORKER, Actor, api_key
from domain.campaigns import Blackout, CampaignStatus, OperationKind
from domain.ids import new_id
from domain.moves import MoveRefused, Obstacle
from domain.pauses import WORKSPACE_GATE, MissedPolicy, Resumed
from domain.post import PostStatus, TargetStatus
from domain.schedule import Shift, resolve
from domain.transitions import BeforeSend, WriteResult, paused
from store.campaigns.campaigns import lock_campaign
from store.campaigns.operations import (
    delete_old_operations,
    list_operations,
    record_operation,
)
from store.campaigns.pausing import (
    CampaignShift,
    ResumedPause,
    ShiftRequest,
    pause_campaign,
    preview_shift,
    resume,
    shift_campaign,
)
from store.database import Database
from store.models import Attempt, AuditEvent, Campaign, Pause, Post, Target
from store.pauses.pauses import begin_pause
from store.posts.idempotency import KeyedRequest, acquire_key, complete_key, delete_expired_keys, find_key
from store.publishing.sending import begin_send, settle
from store.workspaces.keys import create_workspace
from tests.stack import Stack
from tests.store.publishing.sends import put, read, save


async def record(database: Database, workspace: str, campaign_id: str) -> str:
    async with database.transaction() as session:
        return await record_operation(
            session, workspace, OperationKind.ENDED, WORKER, {"drafts": 3}, campaign_id=campaign_id
        )


async def test_an_operation_is_deleted_after_its_days_and_its_key_expires_then(
    database: Database, workspace: str
) -> None:
    campaign, request = new_id("cmp"), KeyedRequest(workspace, "key-1", b"one")
    operation_id, now = await record(database, workspace, campaign), datetime.now(UTC)
    async with database.transaction() as session:
        assert await acquire_key(session, request, campaign, now, None) == 1
        await complete_key(session, request, 200, b"[]", operation_id)
    later = now + timedelta(days=400)
    for keep, expected in (timedelta(days=500), 1), (timedelta(days=365), 0):
        async with database.transaction() as session:
            await delete_old_operations(session, later, 100, keep)
            await delete_expired_keys(session, later - timedelta(days=1), 100)
            assert len(await list_operations(session, workspace, 10, campaign_id=campaign)) == expected
            assert bool(await find_key(session, request, later)) is bool(expected)


async def test_the_api_can_neither_date_nor_forge_an_operation(stack: Stack) -> None:
    async def write(actor: Actor) -> None:
        async with stack.api_database.transaction() as session:
            await record_operation(session, stack.workspace_id, OperationKind.ENDED, actor, {})

    await write(await stack.actor())
    with pytest.raises(DBAPIError, match="no API key of the workspace"):
        await write(api_key(new_id("key")))
    with pytest.raises(DBAPIError, match="permission denied"):
        await write(WORKER)
    async with stack.api_database.reading() as session:
        with pytest.raises(DBAPIError, match="permission denied"):
            await session.execute(text("INSERT INTO operations (at) VALUES (now())"))


ACTOR = api_key("key_x")
BERLIN = "Europe/Berlin"
NO_TIME = timedelta(0)


@pytest.fixture
async def campaign(database: Database) -> Campaign:
    now = datetime.now(UTC)
    async with database.transaction() as session:
        # Another test's pause must not stop its posts.
        workspace = await create_workspace(session, new_id("w"))
    row = Campaign(id=new_id("cmp"), workspace_id=workspace, name="c", tags=[], timezone=BERLIN, blackouts=[])
    row.status, row.version, row.created_at, row.updated_at = CampaignStatus.ACTIVE.value, 1, now, now
    async with database.transaction() as session:
        session.add(row)
    return row


async def plan(database: Database, campaign: Campaign, wall: str, targets: int = 1) -> Post:
    """Save a scheduled post of the campaign."""
    time = resolve(wall, BERLIN)
    post = await save(database, campaign.workspace_id, targets, PostStatus.SCHEDULED)
    values = {"campaign_id": campaign.id, "scheduled_for": time.instant, "scheduled_wall": time.wall}
    values |= {"due_at": time.instant, "timezone": BERLIN}
    async with database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(values))
        await session.execute(update(Target).where(Target.post_id == post.id).values(due_at=time.instant))
    return await read(database, post)


async def missed(database: Database, campaign: Campaign, wall: str, targets: int = 1) -> Post:
    """Save a post of the campaign that fell due in a pause."""
    post = await plan(database, campaign, wall, targets)
    for target in post.targets:
        assert (await settle(database, target.id, BeforeSend(None), paused())).write is WriteResult.MADE
    return await read(database, post)


async def begin(database: Database, campaign: Campaign) -> Pause:
    async with database.transaction() as session:
        locked = await lock_campaign(session, campaign.workspace_id, campaign.id)
        assert locked is not None
        pause, _ = await pause_campaign(session, locked, "a crisis", ACTOR)
    return pause


async def end(database: Database, pause: Pause, policy: MissedPolicy | None) -> ResumedPause | None:
    async with database.transaction() as session:
        return await resume(session, await session.merge(pause), policy, NO_TIME, ACTOR)


async def shift(database: Database, campaign: Campaign, days: int, **more: datetime) -> CampaignShift:
    request = ShiftRequest(Shift(days, NO_TIME), **more)
    async with database.transaction() as session:
        locked = await lock_campaign(session, campaign.workspace_id, campaign.id)
        assert locked is not None
        preview = await preview_shift(session, locked, request)
        effect, _, _ = await shift_campaign(session, locked, request, ACTOR)
    assert effect == preview
    return effect


def wall(days: int, time: str = "09:00:00") -> str:
    """Return a wall time so many days from now."""
    return f"{(datetime.now(UTC) + timedelta(days=days)).date().isoformat()}T{time}"


async def test_shift_publishes_what_is_partly_public_and_skips_series(database: Database, campaign: Campaign) -> None:
    partly, of_series = await missed(database, campaign, wall(-1), 2), await missed(database, campaign, wall(-1))
    await put(database, partly.targets[0], status=TargetStatus.PUBLISHED, hold_reason=None, platform_post_id="1")
    async with database.transaction() as session:
        await session.execute(update(Post).where(Post.id == of_series.id).values(series_id="ser_x"))
    ended = await end(database, await begin(database, campaign), MissedPolicy.SHIFT)
    assert ended is not None
    assert (ended.resumed, ended.continuing) == (Resumed(published=1, skipped=1), [partly.id])
    row = await read(database, partly)
    assert [target.status for target in row.targets] == [TargetStatus.PUBLISHED, TargetStatus.PENDING]
    assert (await read(database, of_series)).skip_reason == "paused"


async def test_shift_leaves_what_another_pause_stops(database: Database, campaign: Campaign) -> None:
    post = await missed(database, campaign, wall(-1))
    async with database.transaction() as session:
        await begin_pause(session, campaign.workspace_id, WORKSPACE_GATE, None, ACTOR)
    ended = await end(database, await begin(database, campaign), MissedPolicy.SHIFT)
    assert ended is not None
    assert ended.resumed == Resumed(still_paused=1)
    assert (await read(database, post)).version == 1


async def test_a_blackout_of_the_resumed_campaign_holds_its_posts_on(database: Database, campaign: Campaign) -> None:
    await missed(database, campaign, wall(-1))
    pause = await begin(database, campaign)
    today = "SELECT plan_gate_v1(:workspace, 'campaign', :id, tstzmultirange(tstzrange(now(), now() + interval '1 h')))"
    async with database.transaction() as session:
        await session.execute(text(today), {"workspace": campaign.workspace_id, "id": campaign.id})
    ended = await end(database, pause, MissedPolicy.PUBLISH)
    assert ended is not None
    assert ended.resumed == Resumed(still_paused=1)


async def test_a_campaign_moves_by_wall_time_over_a_clock_change(database: Database, campaign: Campaign) -> None:
    year = datetime.now(UTC).year + 1
    post = await plan(database, campaign, f"{year}-10-20T09:00:00")
    assert (await shift(database, campaign, 14)).moved == 1
    moved = await read(database, post)
    assert moved.scheduled_wall == f"{year}-11-03T09:00:00"
    assert moved.due_at == datetime(year, 11, 3, 8, tzinfo=UTC)
    assert (moved.version, moved.delivered_version) == (2, 0)
    async with database.transaction() as session:
        line = (await session.scalars(select(AuditEvent).where(AuditEvent.post_id == post.id))).one()
    assert line.details["changes"] == [
        {"field": "scheduledFor", "from": f"{year}-10-20T07:00:00Z", "to": f"{year}-11-03T08:00:00Z"}
    ]


async def test_a_move_names_what_it_leaves(database: Database, campaign: Campaign) -> None:
    await plan(database, campaign, wall(2))
    late, of_series = await plan(database, campaign, wall(-1)), await plan(database, campaign, wall(3))
    draft, skipped = await plan(database, campaign, wall(4)), await plan(database, campaign, wall(4))
    held = await missed(database, campaign, wall(-1))
    assert isinstance(await begin_send(database, late.targets[0].id, late.version, None, 0, None), Attempt)
    async with database.transaction() as session:
        draft_values = {"status": PostStatus.DRAFT, "due_at": None}
        for post, values in (
            (of_series, {"series_id": "ser_x"}),
            (draft, draft_values),
            (skipped, draft_values | {"skip_reason": "paused"}),
        ):
            await session.execute(update(Post).where(Post.id == post.id).values(values))
    effect = await shift(database, campaign, 5)
    assert effect == CampaignShift(3, 1, (late.id,), 1)
    moved = await read(database, draft)
    assert (moved.status, moved.scheduled_wall, moved.due_at, moved.next_delivery_at) == (
        PostStatus.DRAFT,
        wall(9),
        None,
        None,
    )
    assert (await read(database, held)).status == PostStatus.SCHEDULED
    assert (await read(database, skipped)).scheduled_wall == wall(4)


async def test_a_move_takes_the_posts_of_a_time_only(database: Database, campaign: Campaign) -> None:
    early, late = await plan(database, campaign, wall(2)), await plan(database, campaign, wall(5))
    assert late.scheduled_for is not None
    assert (await shift(database, campaign, 1, begin=late.scheduled_for)).moved == 1
    assert ((await read(database, early)).version, (await read(database, late)).version) == (1, 2)


@pytest.mark.parametrize(
    ("days", "obstacle"),
    [(-3, Obstacle.IN_PAST), (8, Obstacle.IN_BLACKOUT), (20, Obstacle.OUTSIDE_WINDOW), (3000, Obstacle.TOO_FAR)],
)
async def test_nothing_moves_if_a_post_may_not(
    database: Database, campaign: Campaign, days: int, obstacle: Obstacle
) -> None:
    first, second = await plan(database, campaign, wall(2)), await plan(database, campaign, wall(3))
    async with database.transaction() as session:
        blackout = Blackout((datetime.now(UTC) + timedelta(days=10)).date(), (datetime.now(UTC) + timedelta(10)).date())
        ends_at = None if obstacle is Obstacle.TOO_FAR else datetime.now(UTC) + timedelta(days=15)
        values = {"ends_at": ends_at, "blackouts": [blackout.as_json()]}
        await session.execute(update(Campaign).where(Campaign.id == campaign.id).values(values))
    with pytest.raises(MoveRefused) as refused:
        await shift(database, campaign, days)
    assert refused.value.obstacle is obstacle
    assert set(refused.value.post_ids) <= {first.id, second.id}
    assert {(await read(database, post)).version for post in (first, second)} == {1}


async def test_changes_of_many_posts_write_each_row_once(database: Database, campaign: Campaign) -> None:
    """Each write of a post is one to all its indexes; an entry by itself is a round trip to the database."""
    statements = list[bool]()

    def count(*arguments: object) -> None:
        is_of_many_rows = arguments[-1]
        statements.append(bool(is_of_many_rows))

    async def writes(session: AsyncSession) -> Counter[str]:
        """Return the writes of the session's connection, earlier ones that are not reported yet included."""
        rows = await session.execute(
            text("""
            SELECT 'posts', pg_stat_get_xact_tuples_updated('posts'::regclass)
            UNION SELECT 'targets', pg_stat_get_xact_tuples_updated('targets'::regclass)
            UNION SELECT 'entries', pg_stat_get_xact_tuples_inserted('audit_events'::regclass)
            """)
        )
        return Counter(**dict(rows.all()))

    posts = [await missed(database, campaign, wall(-1), targets=2) for _ in range(20)]
    once = Counter(posts=len(posts), targets=2 * len(posts), entries=len(posts))
    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    try:
        for policy in MissedPolicy:
            pause = await begin(database, campaign)
            with suppress(_RolledBackError):
                async with database.transaction() as session:
                    before = await writes(session)
                    statements.clear()
                    await resume(session, await session.merge(pause), policy, NO_TIME, ACTOR)
                    assert await writes(session) - before == once, policy
                    assert len(statements) < 2 * len(posts)
                    assert not any(statements), "no entry of the audit trail is sent by itself"
                    raise _RolledBackError
        async with database.transaction() as session:
            before = await writes(session)
            await shift_campaign(session, await session.merge(campaign), ShiftRequest(Shift(3, NO_TIME)), ACTOR)
            assert await writes(session) - before == once
            assert not any(statements)
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", count)
    entries = select(AuditEvent.details["version"]).where(AuditEvent.post_id.in_([post.id for post in posts]))
    async with database.transaction() as session:
        assert list(await session.scalars(entries)) == [2] * len(posts)


class _RolledBackError(Exception):
    """The end of a transaction that must leave nothing."""
