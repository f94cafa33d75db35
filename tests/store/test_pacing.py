"""Turns: never more in any stretch than a pace allows, in order, whoever asks, and none lost to who does not come."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.pace import Pace, Turn
from domain.post import PostStatus, TargetStatus
from store import pacing
from store.contents import new_post
from store.creating import create_post
from store.database import Database
from store.models import Target
from store.models import Turn as Row
from store.pacing import Lane, enter, take, tell
from store.workspaces import create_workspace
from tests.stack import new_database

NOW = timedelta(0)
A_MINUTE = Pace(3, timedelta(minutes=1))
QUICK = Pace(4, timedelta(seconds=0.4))


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url))
    yield database
    await database.close()


@pytest.fixture
def lane() -> Lane:
    return Lane("tiktok", "open.tiktokapis.com", new_id("tt"), "publish")


@pytest.fixture(scope="module")
async def workspace(database: Database) -> str:
    async with database.transaction() as session:
        return await create_workspace(session, new_id("w"))


async def targets(database: Database, workspace: str, count: int) -> list[str]:
    content = PostContent(
        content="text", targets=[TargetContent(platform="tiktok", account_id=f"tt_{n}") for n in range(count)]
    )
    now = datetime.now(UTC)
    post = new_post(new_id("post"), workspace, new_id("wf"), content, status=PostStatus.PUBLISHING, due_at=now, now=now)
    await create_post(database, post)
    async with database.transaction() as session:
        found = await session.scalars(select(Target.id).where(Target.post_id == post.id).order_by(Target.position))
        return list(found)


async def ask(database: Database, lane: Lane, target_id: str, *paces: Pace, last_send: int = 0) -> Turn:
    async with database.transaction() as session:
        return await take(session, await enter(session, lane, target_id, last_send), paces)


async def age(database: Database, lane: Lane, by: timedelta) -> None:
    """Let time pass for a lane."""
    async with database.transaction() as session:
        await session.execute(update(Row).where(Row.account_id == lane.account_id).values(at=Row.at - by))


def seconds(turn: Turn) -> int:
    return round(turn.wait.total_seconds())


async def test_turns_beyond_a_pace_come_in_the_stretches_after_it(
    database: Database, workspace: str, lane: Lane
) -> None:
    turns = [await ask(database, lane, each, A_MINUTE) for each in await targets(database, workspace, 8)]
    assert [seconds(turn) for turn in turns] == [0, 0, 0, 60, 60, 60, 120, 120]
    assert turns[3].waits_for == A_MINUTE.per


async def test_who_asks_again_keeps_the_place(database: Database, workspace: str, lane: Lane) -> None:
    *first, fourth, fifth = await targets(database, workspace, 5)
    for each in first:
        await ask(database, lane, each, A_MINUTE)
    assert seconds(await ask(database, lane, fourth, A_MINUTE)) == 60
    await age(database, lane, timedelta(seconds=20))
    assert seconds(await ask(database, lane, fourth, A_MINUTE)) == 40
    await age(database, lane, timedelta(seconds=41))
    assert (await ask(database, lane, fourth, A_MINUTE)).wait == NOW
    assert (await ask(database, lane, fifth, A_MINUTE)).wait == NOW


async def test_a_turn_that_is_used_late_counts_from_then(database: Database, workspace: str, lane: Lane) -> None:
    late, after = await targets(database, workspace, 2)
    one = Pace(1, timedelta(minutes=1))
    assert (await ask(database, lane, late, one)).wait == NOW
    assert seconds(await ask(database, lane, after, one)) == 60
    await age(database, lane, timedelta(seconds=50))
    assert (await ask(database, lane, late, one)).wait == NOW
    await age(database, lane, timedelta(seconds=10))
    assert seconds(await ask(database, lane, after, one)) == 50


async def test_each_send_needs_a_turn_of_its_own(database: Database, workspace: str, lane: Lane) -> None:
    (only,) = await targets(database, workspace, 1)
    one = Pace(1, timedelta(minutes=1))
    assert (await ask(database, lane, only, one)).wait == NOW
    assert seconds(await ask(database, lane, only, one, last_send=7)) == 60


async def test_the_longest_wait_of_several_paces_counts(database: Database, workspace: str, lane: Lane) -> None:
    day = Pace(2, timedelta(days=1))
    turns = [await ask(database, lane, each, A_MINUTE, day) for each in await targets(database, workspace, 3)]
    assert [seconds(turn) for turn in turns] == [0, 0, 86_400]
    assert turns[2].waits_for == day.per


async def test_who_is_gone_or_does_not_come_holds_up_nobody(database: Database, workspace: str, lane: Lane) -> None:
    one = Pace(1, timedelta(minutes=1))
    first, deleted, failed, lost, last = await targets(database, workspace, 5)
    for number, each in enumerate((first, deleted, failed, lost)):
        assert seconds(await ask(database, lane, each, one)) == number * 60
    async with database.transaction() as session:
        await session.execute(delete(Target).where(Target.id == deleted))
        await session.execute(update(Target).where(Target.id == failed).values(status=TargetStatus.FAILED))
    assert seconds(await ask(database, lane, last, one)) == 4 * 60, "behind the last that still waits"
    # The turn of `lost` was a while ago: its worker died.
    await age(database, lane, timedelta(seconds=3 * 60) + pacing.MISSED_AFTER + timedelta(seconds=1))
    assert (await ask(database, lane, last, one)).wait == NOW
    assert seconds(await ask(database, lane, lost, one)) == 60


async def test_no_stretch_holds_more_than_its_pace_however_many_ask_at_once(
    postgres_url: str, database: Database, workspace: str, lane: Lane
) -> None:
    """Two processes' pools, and nobody who waits comes at the right time."""
    other = Database(postgres_url_of(database))
    taken: list[float] = []

    async def come(number: int, target_id: str) -> None:
        pool = database if number % 2 else other
        while (turn := await ask(pool, lane, target_id, QUICK)).wait > NOW:  # noqa: ASYNC110 as a worker does
            await asyncio.sleep(turn.wait.total_seconds() + (number % 3) * 0.02)
        async with pool.transaction() as session:
            taken.append((await session.scalars(select(Row.at).where(Row.target_id == target_id))).one().timestamp())

    await asyncio.gather(*(come(number, each) for number, each in enumerate(await targets(database, workspace, 20))))
    await other.close()
    taken.sort()
    gaps = [later - earlier for earlier, later in zip(taken, taken[QUICK.limit :], strict=False)]
    assert min(gaps) >= QUICK.per.total_seconds() - 0.001
    assert taken[-1] - taken[0] < 15, "nobody is forgotten"


def postgres_url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


async def test_what_a_network_tells_holds_until_it_resets(database: Database, workspace: str, lane: Lane) -> None:
    first, second, third = await targets(database, workspace, 3)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        await tell(session, lane, now - timedelta(seconds=1), 1, now + timedelta(minutes=5))
    assert (await ask(database, lane, first)).wait == NOW
    waiting = await ask(database, lane, second)
    assert seconds(waiting) == 300
    assert waiting.waits_for is None
    async with database.transaction() as session:
        # An answer that was on its way while a later one was read.
        await tell(session, lane, now, 3, now + timedelta(minutes=5))
    assert seconds(await ask(database, lane, third)) == 300
    async with database.transaction() as session:
        await tell(session, lane, datetime.now(UTC), 5, now + timedelta(minutes=5), asked=True)
    assert (await ask(database, lane, second)).wait == NOW


async def test_accounts_servers_and_steps_do_not_wait_for_each_other(
    database: Database, workspace: str, lane: Lane
) -> None:
    one = Pace(1, timedelta(minutes=1))
    found = await targets(database, workspace, 4)
    others = replace(lane, step="prepare"), replace(lane, account_id=new_id("tt")), replace(lane, server="else.example")
    lanes = (lane, *others)
    assert [seconds(await ask(database, each, target, one)) for each, target in zip(lanes, found, strict=True)] == [
        0
    ] * 4


async def test_old_turns_are_forgotten(database: Database, workspace: str, lane: Lane) -> None:
    for each in await targets(database, workspace, 3):
        await ask(database, lane, each, A_MINUTE)
    await age(database, lane, pacing.KEPT)
    (last,) = await targets(database, workspace, 1)
    await ask(database, lane, last, A_MINUTE)
    async with database.transaction() as session:
        kept = await session.scalars(select(Row.target_id).where(Row.account_id == lane.account_id))
        assert list(itertools.islice(kept, 5)) == [last]


async def test_what_one_server_tells_does_not_hold_up_the_account_at_another(
    database: Database, workspace: str, lane: Lane
) -> None:
    """A server may claim any account for its own, and say that it is not to publish for years."""
    (target,) = await targets(database, workspace, 1)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        await tell(session, replace(lane, server="evil.example"), now, 0, now + timedelta(days=400), asked=True)
    assert (await ask(database, lane, target)).wait == NOW


async def test_one_process_asks_what_is_left(database: Database, workspace: str, lane: Lane) -> None:
    (target,) = await targets(database, workspace, 1)

    async def granted(lease: timedelta = timedelta(minutes=1)) -> bool:
        async with database.transaction() as session:
            place = await enter(session, lane, target, 0)
            return place.is_to_be_asked and await pacing.lease_question(session, lane, lease)

    assert await granted(timedelta(seconds=0.2))
    assert not await granted()
    await asyncio.sleep(0.25)
    assert await granted(), "whoever asked has died"
    async with database.transaction() as session:
        await pacing.note_silence(session, lane, timedelta(seconds=0.2))
    assert not await granted()
    await asyncio.sleep(0.25)
    assert await granted()


async def test_silence_undoes_nothing_that_an_answer_has_told(database: Database, workspace: str, lane: Lane) -> None:
    (target,) = await targets(database, workspace, 1)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        await tell(session, lane, now - timedelta(seconds=1), 0, now + timedelta(minutes=3))
        await pacing.note_silence(session, lane, timedelta(minutes=1))
    assert (await ask(database, lane, target)).wait > timedelta(minutes=2)


@pytest.mark.parametrize(("left", "limit"), [(-5, -1), (10**12, 10**12), (0, 0)])
async def test_numbers_that_cannot_be_are_brought_into_their_bounds(
    database: Database, workspace: str, lane: Lane, left: int, limit: int
) -> None:
    (target,) = await targets(database, workspace, 1)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        await tell(session, lane, now - timedelta(seconds=1), left, now + timedelta(minutes=1), limit=limit, asked=True)
        place = await enter(session, lane, target, 0)
    assert place.told
    assert 0 <= place.told.left <= 2**31
    assert place.limit is None or 1 <= place.limit <= 2**31
    assert (await ask(database, lane, target, A_MINUTE)).wait >= NOW
