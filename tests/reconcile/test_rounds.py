"""Background tasks continue after a round that failed, and a wrong clock is reported once."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from temporalio.common import MetricMeter

from domain.errors import Problem, Unavailable
from reconcile.clock import ClockCheck
from reconcile.measures import Gauges
from reconcile.rounds import BackgroundTask, running_tasks
from store.rows import measure_skew
from tests.stack import Stack


class Skews(Gauges):
    def __init__(self) -> None:
        super().__init__(MetricMeter.noop)
        self.reported: list[float] = []

    def clock_skew(self, skew: timedelta) -> None:
        self.reported.append(skew.total_seconds())


@pytest.mark.parametrize("minutes", [10, -10])
async def test_a_skewed_clock_is_logged_once_and_measured(stack: Stack, minutes: int) -> None:
    skew = timedelta(minutes=minutes)
    gauges = Skews()
    check = ClockCheck(gauges)
    with capture_logs() as lines:
        for ahead in (skew, skew, timedelta(0)):
            async with stack.worker_database.reading() as session:
                check.check(ahead + await measure_skew(session))
    lines = [line for line in lines if line["event"].startswith("clock.")]
    assert [line["event"] for line in lines] == ["clock.skewed", "clock.agrees"]
    assert lines[0]["ahead_s"] == pytest.approx(60 * minutes, abs=2)
    assert gauges.reported[:2] == pytest.approx([60 * minutes] * 2, abs=2)
    assert abs(gauges.reported[2]) < 2


async def test_a_failed_round_is_logged_and_followed_by_the_next() -> None:
    rounds, third, closed = 0, asyncio.Event(), asyncio.Event()

    async def broken() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise ZeroDivisionError
        if rounds == 2:
            raise Unavailable(Problem("Temporal is unavailable.", "unavailable"))
        third.set()
        await asyncio.Event().wait()

    async def close() -> None:
        closed.set()

    with capture_logs() as lines:
        async with running_tasks(BackgroundTask(broken, 0.01, "sweep.postponed", close=close)):
            async with asyncio.timeout(60):
                await third.wait()
            assert not closed.is_set()
    # The worker of other tests may log in this time, too.
    assert [line["task"] for line in lines if line["event"] == "background_task.failed"] == ["sweep"]
    assert [line["reason"] for line in lines if line["event"] == "sweep.postponed"] == ["Unavailable"]
    assert rounds == 3, "it ends with the block"
    assert closed.is_set()


async def test_the_pause_after_failures_may_grow() -> None:
    pauses: list[int] = []

    def again_s(failures: int) -> float:
        pauses.append(failures)
        return 0.001

    async def broken() -> None:
        raise ConnectionRefusedError

    async with running_tasks(BackgroundTask(broken, 60.0, "zones.postponed", again_s=again_s)), asyncio.timeout(60):
        while len(pauses) < 3:  # noqa: ASYNC110 a task that never ends sends no event
            await asyncio.sleep(0.01)
    assert pauses[:3] == [1, 2, 3]
