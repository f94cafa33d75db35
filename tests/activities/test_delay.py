"""Work that is done only if the main work takes long."""

import asyncio

import pytest

from activities import heartbeat
from activities.heartbeat import after_delay


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_DELAY_S", 0.05)


@pytest.mark.parametrize(("takes", "done"), [(0, []), (0.06, ["begun", "ended"])])
async def test_delayed_work_runs_only_during_long_blocks_and_to_its_end(takes: float, done: list[str]) -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("begun")
        await asyncio.sleep(0.05)
        seen.append("ended")

    async with after_delay(work):
        await asyncio.sleep(takes)
    await asyncio.sleep(0.06)
    assert seen == done


async def test_failure_of_delayed_work_fails_the_block() -> None:
    async def fail() -> None:
        raise ConnectionError("no database")

    with pytest.raises(ConnectionError):
        async with after_delay(fail):
            await asyncio.sleep(0.06)
