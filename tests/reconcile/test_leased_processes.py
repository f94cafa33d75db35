"""A worker that is killed or frozen loses its leases to another process in time."""

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

from tests.cli.parts import until
from tests.databases import new_database


@pytest.fixture
async def url(postgres_url: str) -> str:
    return await new_database(postgres_url)


_PROCESS = """
import asyncio, sys
from datetime import timedelta
from reconcile import lease_policy, leases
from reconcile.rounds import BackgroundTask, running_tasks
from store.database import Database
from store.maintenance.beats import LEAD, release_leases

# A fifth of the times of the product.
leases.DURATION = lease_policy.DURATION = timedelta(seconds=3)
lease_policy._EVERY_S, lease_policy._LEAD_EVERY_S, lease_policy._LOOK_S = 1.0, 0.5, 0.1
lease_policy._ACTIVE_S, lease_policy.REST_S, lease_policy._MISSED = 3.0, (5.0, 5.4), timedelta(seconds=0.8)

async def main():
    database = Database(sys.argv[1])
    async def work():
        print("round", flush=True)
    held = leases.Leases(database, policy=lease_policy.WorkerPolicy())
    task = held.leased(BackgroundTask(work, 0.1, "test.postponed"), "one")
    async with running_tasks(task, held.task()):
        await asyncio.Event().wait()

asyncio.run(main())
"""


class LeasedProcess:
    """A worker that does rounds of a task under a lease of 3 seconds."""

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
async def test_another_process_takes_over_within_the_lease(url: str, tmp_path: Path, number: signal.Signals) -> None:
    async with leased_process(url, tmp_path / "first.log") as first:
        await first.works()
        async with leased_process(url, tmp_path / "second.log") as second:
            await asyncio.sleep(6)
            assert second.rounds == 0, "the first renews its lease"
            os.kill(first.process.pid, number)
            # The pause of a worker that rests, until when the lead must have renewed, and a busy machine.
            assert await second.works() < 5.4 + 0.8 + 2
            if number is signal.SIGSTOP:
                os.kill(first.process.pid, signal.SIGCONT)
                before = first.rounds
                await second.works()
                await asyncio.sleep(1)
                assert first.rounds - before <= 1, "a frozen process knows that its lease has ended"
