"""Fixtures for tests of connections: hostile servers, and both event loops."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from runtime.process import new_event_loop
from tests.media.hostile import PUBLIC, HostileServer, Internet
from tests.platforms.http.loops import Run, runner


@pytest.fixture(params=[asyncio.new_event_loop, new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine on an event loop of its own."""
    return runner(request.param)


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    async with HostileServer().running() as running:
        yield running


@pytest.fixture
def internet(server: HostileServer) -> Internet:
    internet = Internet(server)
    internet.knows("cdn.test", [PUBLIC])
    return internet
