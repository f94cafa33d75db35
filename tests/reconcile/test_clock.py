"""A clock that differs from the database's is named, once, and posts are not called late because of it."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from temporalio.common import MetricMeter

from reconcile.clock import ClockCheck
from reconcile.measures import Gauges
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
