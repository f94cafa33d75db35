"""Callers of readiness share probes, and get no answer that a probe has not found."""

import asyncio
import random
from typing import cast

import pytest

from reconcile.readiness import Parts, Readiness, ready
from store.database import Database
from tests.virtual_time import run_in_virtual_time
from workflows.client.queues import Queues

CALLERS, ASKS = 5, 400
HANGS_AT_S, HEALED_AT_S = 20, 40


class SlowParts(Readiness):
    """Healthy parts that answer after some time; between two times, they hang."""

    def __init__(self, slowest_s: float, *, hang: bool = False) -> None:
        super().__init__(cast("Database", None), cast("Queues", None))
        self._slowest_s = slowest_s
        self._hang = hang
        self._random = random.Random(7)

    async def _answer(self) -> None:
        await asyncio.sleep(self._random.uniform(0.05, self._slowest_s))
        now = asyncio.get_running_loop().time()
        if self._hang and HANGS_AT_S <= now < HEALED_AT_S:
            await asyncio.sleep(HEALED_AT_S - now)

    async def _beat(self) -> Parts:
        await self._answer()
        return {"database": True}

    async def _rows(self) -> Parts:
        await self._answer()
        return {"sweep": True, "planner": True, "latePosts": 0, "refusedApps": 0}

    async def _posts_queue(self) -> Parts:
        await self._answer()
        return {"temporal": True, "worker": True}

    async def _platform_queues(self) -> Parts:
        await self._answer()
        return {}


@pytest.mark.parametrize("slowest_s", [0.05, 2.9])
def test_slow_parts_are_healthy_for_every_one_of_many_callers(slowest_s: float) -> None:
    readiness, pauses = SlowParts(slowest_s), random.Random(11)

    async def ask() -> int:
        healthy = 0
        for _ in range(ASKS):
            healthy += ready(await readiness.parts())
            await asyncio.sleep(pauses.uniform(0, 5))
        return healthy

    async def ask_from_everywhere() -> int:
        return sum(await asyncio.gather(*(ask() for _ in range(CALLERS))))

    assert run_in_virtual_time(ask_from_everywhere()) == CALLERS * ASKS


def test_a_part_that_hangs_is_away_after_three_seconds_and_only_until_it_answers() -> None:
    readiness = SlowParts(0.2, hang=True)
    answers: list[tuple[float, float, bool]] = []

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        while (began := loop.time()) < HEALED_AT_S + 5:
            answers.append((began, loop.time() - began, ready(await readiness.parts())))
            answers[-1] = began, loop.time() - began, answers[-1][2]
            await asyncio.sleep(0.3)
        await readiness.close()

    run_in_virtual_time(ask())
    assert max(took for _, took, _ in answers) <= 3.001
    assert all(healthy for began, _, healthy in answers if began < HANGS_AT_S - 1.2)
    assert not any(healthy for began, _, healthy in answers if HANGS_AT_S + 1.2 < began < HEALED_AT_S - 3)
    assert all(healthy for began, _, healthy in answers if began > HEALED_AT_S + 2)
