"""Readiness is reported in time, whatever hangs, and is cheap to request."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Any, Self

import pytest
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from reconcile.readiness import Readiness, ready
from store.database import Database
from tests.stack import Stack
from workflows.client.queues import Queues


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
