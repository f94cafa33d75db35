"""Readiness is reported in time, whatever hangs, and is cheap to request."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Any, Self, cast

import pytest
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from reconcile.readiness import Parts, Readiness, ready
from store.database import Database
from tests.stack import Stack
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


@asynccontextmanager
async def black_hole() -> AsyncIterator[str]:
    """Listen at an address that accepts every connection and sends nothing."""
    held: list[asyncio.StreamWriter] = []

    async def swallow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield "{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()
        for writer in held:
            writer.close()


async def test_a_hanging_database_is_waited_for_once(stack: Stack) -> None:
    async with black_hole() as address:
        database = Database(f"postgresql+asyncpg://nobody@{address}/none")
        readiness = Readiness(database, stack.workflows.queues)
        began = time.monotonic()
        parts = await readiness.parts()
        assert time.monotonic() - began < 4
        assert not ready(parts)
        assert (parts["database"], parts["sweep"], parts["temporal"], parts["worker"]) == (False, False, True, True)
        assert "latePosts" not in parts
        began = time.monotonic()
        assert (await readiness.parts())["database"] is False
        assert time.monotonic() - began < 1
        await readiness.close()
        await database.close()


async def test_a_hanging_temporal_is_reported_unavailable(stack: Stack) -> None:
    async with black_hole() as address:
        client = await Client.connect(address, lazy=True)
        readiness = Readiness(stack.api_database, Queues(client))
        began = time.monotonic()
        parts = await readiness.parts()
        assert time.monotonic() - began < 4
        assert (parts["database"], parts["temporal"], parts["worker"], ready(parts)) == (True, False, False, False)
        await readiness.close()


async def test_concurrent_probes_share_one_check(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = 0
    posts = stack.workflows.queues.posts

    async def counted(*arguments: Any) -> object:
        nonlocal checks
        checks += 1
        return await posts(*arguments)

    monkeypatch.setattr(stack.workflows.queues, "posts", counted)
    readiness = Readiness(stack.api_database, stack.workflows.queues)
    assert all(parts["worker"] for parts in await asyncio.gather(*(readiness.parts() for _ in range(50))))
    assert (await readiness.parts())["worker"]
    assert checks == 1


async def test_temporal_is_asked_again_if_the_connection_ends_during_the_call(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = stack.client.workflow_service.describe_task_queue
    calls = 0

    async def first_cancelled(request: DescribeTaskQueueRequest) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            # Seen from a real server with `frontend.keepAliveMaxConnectionAge`, as after five minutes by default.
            raise RPCError("operation was canceled", RPCStatusCode.CANCELLED, b"")
        return await describe(request)

    monkeypatch.setattr(stack.client.workflow_service, "describe_task_queue", first_cancelled)
    assert (await stack.workflows.queues.posts()).polled
    assert calls == 2


@pytest.mark.parametrize("minutes", [10, -10])
async def test_a_skewed_clock_calls_no_worker_missing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    class SkewedClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(minutes=minutes)

    for module in ("workflows.client.queues", "store.rows", "store.maintenance.beats"):
        monkeypatch.setattr(f"{module}.datetime", SkewedClock)
    readiness = Readiness(stack.api_database, stack.workflows.queues)
    assert (await readiness.parts())["worker"] is True


async def test_every_failure_is_an_answer(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(stack.workflows.queues, "posts", broken)
    readiness = Readiness(stack.api_database, stack.workflows.queues)
    parts = await readiness.parts()
    assert (parts["temporal"], parts["database"], ready(parts)) == (False, True, False)
