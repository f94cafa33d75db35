"""No send begins while a gate is closed, by any process and in any order of events."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text, update

from domain.attempts import WORKER_LOST, AttemptResult, AttemptState
from domain.audit import api_key
from domain.ids import new_id
from domain.ownership import FENCE
from domain.pauses import WORKSPACE_GATE, Gate, MissedPolicy, account_gate, campaign_gate, series_gate
from domain.transitions import AnswerTo, WriteResult
from store.database import Database
from store.models import Attempt, Post, Target
from store.pauses.gates import close_gate, open_gate, posts_in_flight
from store.pauses.pauses import begin_pause, end_pause
from store.publishing.sending import begin_send, extend_send, open_target, settle
from tests.databases import add_workspace
from tests.store.publishing.sends import begin, save

SENDERS = 8


async def close(database: Database, workspace: str, gate: Gate = WORKSPACE_GATE) -> datetime:
    async with database.transaction() as session:
        return await close_gate(session, workspace, gate)


async def reopen(database: Database, workspace: str, gate: Gate = WORKSPACE_GATE) -> None:
    async with database.transaction() as session:
        await open_gate(session, workspace, gate)


async def test_a_closed_gate_stops_a_send_and_an_open_one_lets_it_pass(database: Database, workspace: str) -> None:
    target = (await save(database, workspace)).targets[0]
    await close(database, workspace)
    assert await begin_send(database, target.id, 1, None, 0, None) is WriteResult.PAUSED
    loaded = await open_target(database, target.id)
    assert loaded is not None
    assert loaded.is_paused
    await reopen(database, workspace)
    assert isinstance(await begin_send(database, target.id, 1, None, 0, None), Attempt)


async def test_the_gate_of_an_account_stops_that_account_only(database: Database, workspace: str) -> None:
    stopped, other = (await save(database, workspace)).targets
    await close(database, workspace, account_gate(stopped.platform, stopped.account_id))
    assert await begin_send(database, stopped.id, 1, None, 0, None) is WriteResult.PAUSED
    await begin(database, other)


PARTS = [("campaign_id", campaign_gate), ("series_id", series_gate)]


@pytest.mark.parametrize(("column", "gate"), PARTS)
async def test_the_gate_of_a_campaign_or_series_stops_its_posts_only(
    database: Database, workspace: str, column: str, gate: Callable[[str], Gate]
) -> None:
    stopped, other = (
        await save_part(database, workspace, column, "x_1"),
        await save_part(database, workspace, column, "x_2"),
    )
    await close(database, workspace, gate("x_1"))
    assert await begin_send(database, stopped.id, 1, None, 0, None) is WriteResult.PAUSED
    loaded = await open_target(database, stopped.id)
    assert loaded is not None
    assert loaded.is_paused
    await begin(database, other)
    await begin(database, (await save(database, workspace)).targets[0])


async def save_part(database: Database, workspace: str, column: str, part_id: str) -> Target:
    target = (await save(database, workspace)).targets[0]
    async with database.transaction() as session:
        await session.execute(update(Post).where(Post.id == target.post_id).values({column: part_id}))
    return target


async def test_a_plan_closes_a_gate_in_its_ranges_and_no_resumption_opens_it(
    database: Database, workspace: str
) -> None:
    stopped = await save_part(database, workspace, "campaign_id", "cmp_planned")
    gate = campaign_gate("cmp_planned")
    plan = text("SELECT plan_gate_v1(:workspace, 'campaign', 'cmp_planned', CAST(:ranges AS text)::tstzmultirange)")

    async def planned(ranges: str) -> bool:
        async with database.transaction() as session:
            await session.execute(plan, {"workspace": workspace, "ranges": ranges})
        loaded = await open_target(database, stopped.id)
        assert loaded is not None
        return loaded.is_paused

    assert not await planned("{[2099-12-24, 2099-12-27)}")
    assert await planned("{[2020-01-01, 2020-02-01), [2026-01-01, 2099-01-01)}")
    await close(database, workspace, gate)
    await reopen(database, workspace, gate)
    assert await begin_send(database, stopped.id, 1, None, 0, None) is WriteResult.PAUSED
    assert not await planned("{}")
    await begin(database, stopped)


async def test_no_gate_of_a_workspace_stops_another(database: Database, workspace: str) -> None:
    await close(database, workspace)
    await begin(database, (await save(database, await add_workspace(database))).targets[0])


async def test_a_gate_that_is_closed_stays_closed_since_then(database: Database, workspace: str) -> None:
    first = await close(database, workspace)
    assert await close(database, workspace) == first
    await reopen(database, workspace)
    assert await close(database, workspace) > first


async def test_a_request_that_began_before_is_named_until_it_has_ended(database: Database, workspace: str) -> None:
    target = (await save(database, workspace)).targets[0]
    attempt = await begin(database, target)
    await close(database, workspace)
    async with database.reading() as session:
        (in_flight,) = await posts_in_flight(session, workspace, WORKSPACE_GATE)
    assert (in_flight.post_id, in_flight.since) == (target.post_id, attempt.started_at)
    assert in_flight.account_id == target.account_id
    async with database.reading() as session:
        assert await posts_in_flight(session, workspace, account_gate("twitter", "another")) == []


async def test_a_request_of_a_lost_worker_is_named_only_as_long_as_it_may_be_sent(
    database: Database, workspace: str
) -> None:
    attempt = await begin(database, (await save(database, workspace)).targets[0])
    await close(database, workspace)
    lost = AttemptResult(AttemptState.UNCONFIRMED, "its worker was lost", code=WORKER_LOST)
    assert await extend_send(database, attempt.id)
    await settle(database, attempt.target_id, AnswerTo(attempt.id), None, lost)
    assert not await extend_send(database, attempt.id)

    async def count(sendable_until: timedelta | None, finished: timedelta) -> int:
        values = {
            "sendable_until": None if sendable_until is None else func.clock_timestamp() + sendable_until,
            "finished_at": func.clock_timestamp() - finished,
        }
        async with database.transaction() as session:
            await session.execute(update(Attempt).where(Attempt.id == attempt.id).values(values))
            return len(await posts_in_flight(session, workspace, WORKSPACE_GATE))

    second = timedelta(seconds=1)
    assert await count(second, finished=FENCE - second) == 1
    assert await count(-second, finished=0 * second) == 0
    # A process of the release before has written it.
    assert await count(None, finished=FENCE - second) == 1
    assert await count(None, finished=FENCE + second) == 0


async def test_a_send_says_until_when_its_request_may_be_sent(database: Database, workspace: str) -> None:
    target = (await save(database, workspace)).targets[0]
    attempt = await begin(database, target)
    remaining = select(Attempt.sendable_until, func.clock_timestamp()).where(Attempt.id == attempt.id)
    past = update(Attempt).where(Attempt.id == attempt.id).values(sendable_until=datetime.now(UTC))
    async with database.transaction() as session:
        until, now = (await session.execute(remaining)).one()
        assert timedelta(0) < until - now <= FENCE
        await session.execute(past)
    await extend_send(database, attempt.id)
    async with database.reading() as session:
        until, now = (await session.execute(remaining)).one()
    assert timedelta(0) < until - now <= FENCE


async def test_no_send_begins_after_a_close_was_acknowledged(database: Database, workspace: str) -> None:
    posts = [await save(database, workspace, targets=1) for _ in range(150)]
    unsent = [post.targets[0].id for post in posts]
    begun = select(func.count()).select_from(Attempt).join(Target, Target.id == Attempt.target_id)

    async def count() -> int:
        async with database.reading() as session:
            return await session.scalar(begun.where(Target.workspace_id == workspace)) or 0

    async def send() -> None:
        while unsent:
            target_id = unsent.pop()
            if await begin_send(database, target_id, 1, None, 0, None) is WriteResult.PAUSED:
                unsent.append(target_id)

    async def pause() -> int:
        rounds = 0
        while unsent:
            await close(database, workspace)
            before = await count()
            await asyncio.sleep(0.01)
            assert await count() == before
            await reopen(database, workspace)
            await asyncio.sleep(0.003)
            rounds += 1
        return rounds

    async with asyncio.timeout(60):
        pausing = asyncio.create_task(pause())
        await asyncio.gather(pausing, *(send() for _ in range(SENDERS)))
    assert pausing.result() > 1
    assert await count() == len(posts)


async def test_sends_closes_and_resumptions_never_wait_for_each_other_in_a_circle(
    database: Database, workspace: str
) -> None:
    actor = api_key("key_x")
    posts = [await save(database, workspace) for _ in range(40)]
    targets = [target.id for post in posts for target in post.targets]

    async def send(number: int) -> None:
        for target_id in targets[number::SENDERS]:
            for _ in range(5):
                version = await post_version(database, target_id)
                if await begin_send(database, target_id, version, None, 0, None) is not WriteResult.PAUSED:
                    break

    async def pause() -> None:
        for _ in range(15):
            async with database.transaction() as session:
                begun, _new = await begin_pause(session, workspace, WORKSPACE_GATE, None, actor)
            async with database.transaction() as session:
                session.add(begun)
                await end_pause(session, begun, MissedPolicy.PUBLISH, timedelta(0), actor)

    async with asyncio.timeout(60):
        await asyncio.gather(pause(), pause(), *(send(number) for number in range(SENDERS)))


async def post_version(database: Database, target_id: str) -> int:
    loaded = await open_target(database, target_id)
    assert loaded is not None
    return loaded.post.version


async def test_the_end_of_a_pause_leaves_what_is_planned(database: Database, workspace: str) -> None:
    gate = {"workspace_id": workspace, "kind": "campaign", "id": new_id("cmp")}
    async with database.transaction() as session:
        for call in (
            "plan_gate_v1(:workspace_id, :kind, :id, '{[2026-01-01 00:00+00,infinity)}')",
            "close_gate_v1(:workspace_id, :kind, :id)",
            "open_gate_v1(:workspace_id, :kind, :id)",
        ):
            await session.execute(text(f"SELECT {call}"), gate)
        query = text(
            "SELECT closed @> clock_timestamp(), planned @> clock_timestamp(), planned @> now() - interval '1 hour'"
            " FROM gates WHERE workspace_id = :workspace_id AND kind = :kind AND id = :id"
        )
        row = (await session.execute(query, gate)).one()
    # A plan begins when it is made, whatever it says of the past.
    assert tuple(row) == (False, True, False)
