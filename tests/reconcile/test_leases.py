"""Leases let one process do a background task, and another take over when it ends, is killed or hangs."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from reconcile.leases import Leases
from reconcile.rounds import BackgroundTask, running_tasks
from store.apps.refusals import refuse_app
from store.database import Database
from tests.cli.parts import until
from tests.databases import new_database

NAMES = tuple(f"task.{number}" for number in range(6))


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


def process_leases(database: Database) -> Leases:
    """Return the leases of a process that does all tasks."""
    leases = Leases(database)
    for name in NAMES:
        leases.leased(BackgroundTask(asyncio.Event().wait, 60.0, "test.postponed"), name)
    return leases


async def test_processes_share_the_leases(database: Database) -> None:
    first, second = process_leases(database), process_leases(database)
    # A process asks for some at random, so a round may take none although one is free.
    async with asyncio.timeout(60):
        while len(first.held) + len(second.held) < len(NAMES):
            await first.renew()
            await second.renew()
    assert sorted(first.held + second.held) == sorted(NAMES), "each has one holder"
    assert min(len(first.held), len(second.held)) >= 1, "no process asks for more than two at a time"
    before = first.held
    for _ in range(3):
        await first.renew()
        await second.renew()
    assert sorted(first.held) == sorted(before), "a holder keeps them"


async def test_a_process_that_ends_releases_its_leases(database: Database) -> None:
    first, second = process_leases(database), process_leases(database)
    async with running_tasks(first.task()), asyncio.timeout(60):
        while len(first.held) < len(NAMES):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
        assert await second.renew() == 0
    async with asyncio.timeout(60):
        while len(second.held) < len(NAMES):
            await second.renew()
    assert (first.held, sorted(second.held)) == ([], sorted(NAMES))


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
    rounds = 0

    async def work() -> None:
        nonlocal rounds
        rounds += 1

    leases = Leases(database)
    task = leases.leased(BackgroundTask(work, 0.01, "test.postponed", looks_for="refusals"))
    async with running_tasks(task), asyncio.timeout(60):
        while not rounds:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.01)
        for _ in range(3):
            await leases.renew()
            await asyncio.sleep(0.02)
        assert rounds == 1, "it does one round when it begins"
        async with database.transaction() as session:
            await refuse_app(session, "twitter", "app", "no_credits", "no credits")
        await leases.renew()
        while rounds < 4:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.01)


_PROCESS = """
import asyncio, sys
from datetime import timedelta
from reconcile import leases
from reconcile.rounds import BackgroundTask, running_tasks
from store.database import Database

leases.DURATION, leases._EVERY_S = timedelta(seconds=3), 0.5

async def main():
    database = Database(sys.argv[1])
    async def work():
        print("round", flush=True)
    held = leases.Leases(database)
    task = held.leased(BackgroundTask(work, 0.1, "test.postponed"), "one")
    async with running_tasks(task, held.task()):
        await asyncio.Event().wait()

asyncio.run(main())
"""


class LeasedProcess:
    """A process that does rounds of a task under a lease of 3 seconds."""

    def __init__(self, url: str, log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen([sys.executable, "-c", _PROCESS, url], stdout=output, stderr=output)

    @property
    def rounds(self) -> int:
        """The number of rounds that it has done."""
        return self._log.read_text().count("round")

    async def works(self) -> float:
        """Wait for a round, and return how long that took."""
        before, began = self.rounds, time.monotonic()
        await until(lambda: self.rounds > before, 60)
        return time.monotonic() - began


@asynccontextmanager
async def leased_process(url: str, log: Path) -> AsyncIterator[LeasedProcess]:
    started = LeasedProcess(url, log)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_another_process_takes_over_within_the_lease(
    url: str, database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    async with leased_process(url, tmp_path / "first.log") as first:
        await first.works()
        async with leased_process(url, tmp_path / "second.log") as second:
            await asyncio.sleep(4)
            assert second.rounds == 0, "the first renews its lease"
            os.kill(first.process.pid, number)
            # The lease, a round of asking for it, and a busy machine.
            assert await second.works() < 3 + 0.5 + 5
            if number is signal.SIGSTOP:
                os.kill(first.process.pid, signal.SIGCONT)
                before = first.rounds
                await second.works()
                await asyncio.sleep(1)
                assert first.rounds - before <= 1, "a frozen process knows that its lease has ended"
