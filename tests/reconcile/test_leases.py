"""Leases let one process do a background task, and another take over when it ends, is killed or hangs.

In an idle fleet one worker has them all, and with work all workers share them.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import chain

import pytest
from sqlalchemy import text

from reconcile.lease_policy import REST_S, LeasePolicy, WorkerPolicy
from reconcile.leases import Leases
from reconcile.rounds import BackgroundTask, running_tasks
from store.accounts.renewals import TO_RENEW
from store.apps import REFUSED, refuse_app
from store.database import Database
from store.due import Due
from store.maintenance.beats import LEAD, release_leases
from tests.databases import new_database

NAMES = tuple(f"task.{letter}" for letter in "abcdef")
SWEEPS = tuple(f"sweep.{number}" for number in range(4))
_IS_TO_RENEW = """
INSERT INTO accounts (workspace_id, id, platform, user_id, username, credentials, renew_at)
VALUES ('w', 'a', 'twitter', '1', 'a', '\\x01', now())
"""


@pytest.fixture(scope="module")
async def url(postgres_url: str) -> str:
    return await new_database(postgres_url)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM leases"))
    await database.close()


def idle() -> BackgroundTask:
    return BackgroundTask(asyncio.Event().wait, 60.0, "test.postponed")


class CountedRounds:
    """A task whose rounds are counted."""

    def __init__(self) -> None:
        self.number = 0

    def task(self, *due: Due) -> BackgroundTask:
        return BackgroundTask(self._work, 0.01, "test.postponed", due=due)

    async def reach(self, number: int) -> None:
        while self.number < number:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.01)

    async def _work(self) -> None:
        self.number += 1


def process_leases(database: Database, policy: LeasePolicy | None = None) -> Leases:
    """Return the leases of a process that does all tasks."""
    leases = Leases(database, policy=policy)
    for name in NAMES:
        leases.leased(idle(), name)
    leases.leased(idle(), *SWEEPS)
    leases.leased(replace(idle(), due=(TO_RENEW,), is_shared=True), "renewals.0", "renewals.1")
    return leases


ALL = sorted([LEAD, *NAMES, *SWEEPS, "renewals.0", "renewals.1"])


async def renew_all(fleet: Sequence[Leases]) -> None:
    """Renew the leases of all until they take no more."""
    async with asyncio.timeout(60):
        while sum([await leases.renew() for leases in fleet]):
            pass


def resting_fleet(database: Database, workers: int) -> list[Leases]:
    """Return the leases of workers that have begun a while ago."""
    fleet = []
    for _ in range(workers):
        policy = WorkerPolicy()
        fleet.append(process_leases(database, policy))
        let_time_pass(policy)
    return fleet


def let_time_pass(policy: LeasePolicy) -> None:
    """Let a worker have seen its last work a while ago."""
    assert isinstance(policy, WorkerPolicy)
    policy._active_until = float("-inf")


async def test_a_holder_keeps_its_leases(database: Database) -> None:
    first, second = process_leases(database), process_leases(database)
    await renew_all([first, second])
    assert (sorted(first.held), second.held) == ([name for name in ALL if name != LEAD], [])


async def test_new_workers_share_the_leases(database: Database) -> None:
    fleet = [process_leases(database, WorkerPolicy()) for _ in range(4)]
    await renew_all(fleet)
    held = [leases.held for leases in fleet]
    assert sorted(chain(*held)) == ALL, "each has one holder"
    assert [len(set(SWEEPS).intersection(names)) for names in held] == [1, 1, 1, 1]
    numbers = [len(set(names) - {LEAD}) for names in held]
    assert max(numbers) - min(numbers) <= 1
    for _ in range(3):
        await renew_all(fleet)
    assert [sorted(leases.held) for leases in fleet] == [sorted(names) for names in held], "they keep them"


async def test_one_worker_of_an_idle_fleet_leads(database: Database) -> None:
    fleet = resting_fleet(database, 4)
    await renew_all(fleet)
    assert [sorted(leases.held) for leases in fleet] == [ALL, [], [], []]
    assert [leases._policy.pause_s for leases in fleet[:1]] == [2.5]
    assert all(leases._policy.pause_s >= REST_S[0] for leases in fleet[1:])


async def test_workers_share_the_leases_while_there_is_work(database: Database) -> None:
    fleet = resting_fleet(database, 4)
    await renew_all(fleet)
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO workspaces (id, name) VALUES ('w', 'w')"))
        await session.execute(text(_IS_TO_RENEW))
    await renew_all(fleet)
    assert [len(set(SWEEPS).intersection(leases.held)) for leases in fleet] == [1, 1, 1, 1]
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM accounts"))
    await renew_all(fleet)
    assert all(leases.held for leases in fleet), "more work may follow"
    for leases in fleet:
        let_time_pass(leases._policy)
    await renew_all(fleet)
    assert [leases.held for leases in fleet[1:]] == [[], [], []]
    await fleet[0].renew()
    assert sorted(fleet[0].held) == ALL


async def test_one_of_two_resting_workers_follows_a_dead_lead(database: Database) -> None:
    dead, *others = resting_fleet(database, 3)
    await renew_all([dead, *others])
    async with database.transaction() as session:
        await session.execute(text("UPDATE leases SET until = now() + interval '5 s'"))
    await asyncio.gather(*(leases.renew() for leases in others))
    pauses = [leases._policy.pause_s for leases in others]
    assert max(pauses) <= 5.5, "they ask again when its leases end"
    async with database.transaction() as session:
        await session.execute(text("UPDATE leases SET until = now()"))
    assert sorted(await asyncio.gather(*(leases.renew() for leases in others))) == [0, 1]
    await renew_all(others)
    assert sorted(map(len, (leases.held for leases in others))) == [0, len(ALL)]
    # It was only frozen.
    await dead.renew()
    assert (dead.held, dead._policy.rests) == ([], True)


async def test_a_worker_of_the_last_release_runs_beside_this_one(database: Database) -> None:
    """It asks for two free leases at a time by take_leases_v1, keeps what it has, and knows no lead."""
    old: set[str] = set()

    async def renew_old() -> None:
        free = [name for name in ALL if name not in old and name != LEAD]
        (row,) = await database.rows(
            "SELECT ARRAY(SELECT take_leases_v1('old', $1, '15 s')) AS leases", [*old, *random.sample(free, 2)]
        )
        old.clear()
        old.update(row["leases"])

    for _ in range(3):
        await renew_old()
    (leader,) = fleet = resting_fleet(database, 1)
    await renew_all(fleet)
    await renew_old()
    assert sorted([*old, *leader.held]) == ALL
    assert len(old) == 6
    fleet += [process_leases(database, WorkerPolicy()) for _ in range(2)]
    for _ in range(20):
        await renew_old()
        for leases in fleet:
            await leases.renew()
    await renew_old()
    assert sorted([*old, *chain(*(leases.held for leases in fleet))]) == ALL, "each has one holder"
    assert 2 <= len(old) < 6
    await release_leases(database, "old")
    await renew_all(fleet)
    assert sorted(chain(*(leases.held for leases in fleet))) == ALL


async def test_a_process_that_ends_releases_its_leases(database: Database) -> None:
    first, second = process_leases(database), process_leases(database)
    async with running_tasks(first.task()), asyncio.timeout(60):
        while not first.held:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
        assert await second.renew() == 0
    await second.renew()
    assert (first.held, len(second.held)) == ([], len(ALL) - 1)


async def test_a_worker_that_publishes_rests_no_longer() -> None:
    publishes = False
    policy = WorkerPolicy(lambda _: publishes)
    let_time_pass(policy)
    policy._has_rested, policy._rest_s = True, REST_S[0]
    await policy.wait()
    policy._begun_at -= 6
    waiting = asyncio.create_task(policy.wait())
    await asyncio.sleep(1)
    assert not waiting.done()
    publishes = True
    async with asyncio.timeout(10):
        await waiting
    assert not policy.rests


async def test_a_worker_gives_its_leases_back_before_it_rests(database: Database) -> None:
    (leader,) = fleet = resting_fleet(database, 1)
    await renew_all(fleet)
    policy = WorkerPolicy()
    leases = process_leases(database, policy)
    await renew_all([leases])
    assert leases.held
    let_time_pass(policy)
    assert policy.pause_s == 5, "it still has them"
    await leases.renew()
    assert leases.held == []
    assert policy.pause_s >= REST_S[0]
    await leader.renew()
    assert sorted(leader.held) == ALL


async def test_a_worker_without_an_answer_asks_again_soon() -> None:
    policy = WorkerPolicy()
    let_time_pass(policy)
    policy._has_rested, policy._rest_s = True, REST_S[0]
    policy.hear(None)
    assert policy.pause_s == 5


async def test_a_round_that_lasts_ends_with_its_lease(database: Database) -> None:
    running = 0

    async def listen() -> None:
        nonlocal running
        running += 1
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1

    first, second = Leases(database, policy=WorkerPolicy()), process_leases(database, WorkerPolicy())
    task = first.leased(BackgroundTask(listen, 0.01, "test.postponed"), "listen", lasts=True)
    second.leased(idle(), "listen", lasts=True)
    for name in NAMES:
        first.leased(idle(), name)
    await renew_all([first])
    async with running_tasks(task), asyncio.timeout(60):
        while not running:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.01)
        await renew_all([second, first])
        assert len(second.held) > 1
        assert "listen" in first.held, "no other process takes it over"
        async with database.transaction() as session:
            await session.execute(text("UPDATE leases SET holder = 'another' WHERE name = 'listen'"))
        assert await first.renew() == 0
        while running:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.01)


async def test_each_process_does_the_first_round_at_its_start(database: Database) -> None:
    leases, rounds = Leases(database), CountedRounds()
    task = leases.leased(rounds.task(), "settings", at_start=True)
    async with running_tasks(task), asyncio.timeout(60):
        await rounds.reach(1)
        await asyncio.sleep(0.1)
        assert rounds.number == 1
        await leases.renew()
        await rounds.reach(3)


async def test_a_task_runs_only_under_its_lease(database: Database) -> None:
    rounds: list[str] = []

    def task(name: str) -> BackgroundTask:
        async def work() -> None:
            rounds.append(name)

        return BackgroundTask(work, 0.01, "test.postponed")

    first, second = Leases(database), Leases(database)
    tasks = first.leased(task("first"), "one"), second.leased(task("second"), "one")
    assert await first.renew() == 1
    async with running_tasks(*tasks), asyncio.timeout(60):
        while len(rounds) < 3:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.01)
        assert set(rounds) == {"first"}
        await first.release()
        assert await second.renew() == 1
        rounds.clear()
        while rounds.count("second") < 3:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.01)
        # A round of the first may have begun before its lease ended.
        assert rounds.count("first") <= 1


async def test_tasks_may_share_a_lease(database: Database) -> None:
    leases = Leases(database)
    for _ in range(3):
        leases.leased(BackgroundTask(asyncio.Event().wait, 60.0, "test.postponed"), "shared")
    assert await leases.renew() == 1
    assert leases.held == ["shared"]


async def test_a_task_rests_until_there_is_work(database: Database) -> None:
    leases, rounds = Leases(database), CountedRounds()
    task = leases.leased(rounds.task(REFUSED))
    async with running_tasks(task), asyncio.timeout(60):
        await rounds.reach(1)
        for _ in range(3):
            await leases.renew()
            await asyncio.sleep(0.02)
        assert rounds.number == 1, "it does one round when it begins"
        async with database.transaction() as session:
            await refuse_app(session, "twitter", "app", "no_credits", "no credits")
        await leases.renew()
        await rounds.reach(4)
