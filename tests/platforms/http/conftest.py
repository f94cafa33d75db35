"""Fixtures for tests of connections: hostile servers, and both event loops."""

import asyncio

import pytest

from runtime.process import new_event_loop
from tests.media.conftest import internet, server
from tests.platforms.http.loops import Run, runner

__all__ = ["internet", "server"]


@pytest.fixture(params=[asyncio.new_event_loop, new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine on an event loop of its own."""
    return runner(request.param)
