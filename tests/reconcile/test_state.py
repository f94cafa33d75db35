"""One process measures the state of the service, and all show the same."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from reconcile.late_posts import LatePostWatch
from reconcile.measures import Gauges, Sample
from reconcile.readiness import STATE_FRESH, Readiness
from store.maintenance.beats import read_state
from tests.stack import Stack


class KeptGauges(Gauges):
    """Gauges that keep what they export."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: list[Sample] = []
        self.age = timedelta(0)

    def export(self, samples: Iterable[Sample]) -> None:
        super().export(samples)
        self.samples = list(samples)

    def state_age(self, age: timedelta) -> None:
        self.age = age


async def test_a_process_shows_what_another_has_measured(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    posts = stack.workflows.queues.posts

    async def counted(*arguments: Any) -> object:
        nonlocal asked
        asked += 1
        return await posts(*arguments)

    monkeypatch.setattr(stack.workflows.queues, "posts", counted)
    holder = Readiness(stack.worker_database, stack.workflows.queues)
    await LatePostWatch(stack.worker_database, readiness=holder).measure(holder)
    assert asked == 1
    readiness, gauges = Readiness(stack.api_database, stack.workflows.queues), KeptGauges()
    watch = LatePostWatch(stack.api_database, gauges=gauges, readiness=readiness)
    await watch.hear(await read_state(stack.api_database))
    parts = await readiness.parts()
    assert asked == 1, "Temporal was asked once, by the process that measures"
    assert (parts["database"], parts["temporal"], parts["worker"]) == (True, True, True)
    assert parts == await holder.parts()
    values: dict[tuple[str, ...], int] = {
        (sample.gauge, *sorted(sample.labels.values())): sample.value for sample in gauges.samples
    }
    assert values["socialsyncer_posts_late",] == parts["latePosts"]
    assert ("socialsyncer_targets_waiting", "account", "mastodon") in values
    assert gauges.age < STATE_FRESH

    await watch.hear(None)
    assert (await readiness.parts())["database"] is True, "it was read a moment ago"

    async with stack.database.transaction() as session:
        await session.execute(text("UPDATE service_state SET measured_at = now() - interval '1 min'"))
    later = Readiness(stack.api_database, stack.workflows.queues)
    await LatePostWatch(stack.api_database, gauges=gauges, readiness=later).hear(await read_state(stack.api_database))
    assert (await later.parts())["worker"] is True
    assert asked == 2, "an old state counts for nothing"
    assert gauges.age > timedelta(seconds=50)


async def test_a_worker_that_rests_reads_the_state_when_it_is_asked(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it read with its last beat is old by then, and probing by itself would ask Temporal."""
    holder = Readiness(stack.worker_database, stack.workflows.queues)
    watch = LatePostWatch(stack.worker_database, readiness=holder)
    await watch.measure(holder)
    gauges = KeptGauges()
    readiness = Readiness(stack.api_database, stack.workflows.queues)
    resting = LatePostWatch(stack.api_database, gauges=gauges, readiness=readiness)
    old = await read_state(stack.api_database)
    await resting.hear(replace(old, age=timedelta(seconds=19)))
    readiness._fresh_until = readiness._database_probe._ended_at = float("-inf")

    async def posts(*_: Any) -> object:
        raise AssertionError

    monkeypatch.setattr(stack.workflows.queues, "posts", posts)
    monkeypatch.setattr(stack.workflows.queues, "platforms", posts)
    assert await readiness.parts() == await holder.parts()

    # Its metrics say how old its numbers are, although it does not ask.
    resting._measured_at -= 10
    await resting.age_task().work()
    assert gauges.age >= timedelta(seconds=29)


def test_an_app_that_is_accepted_again_becomes_zero() -> None:
    labels = {"platform": "twitter", "app": "one", "code": "no_credits"}
    values: list[tuple[int, dict[str, str]]] = []

    class Gauge:
        def set(self, value: int, labels: dict[str, str]) -> None:
            values.append((value, labels))

    gauges = Gauges()
    gauges._of_state["socialsyncer_app_refused"] = Gauge()  # type: ignore[assignment]
    gauges.export([Sample("socialsyncer_app_refused", 1, labels), Sample("socialsyncer_of_newer_code", 1)])
    gauges.export([])
    assert values == [(1, labels), (0, labels)]
