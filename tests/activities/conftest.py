import asyncio

import pytest

from runtime.loop import fast_loop
from tests.activities.loops import Run, runner


@pytest.fixture(params=[asyncio.new_event_loop, fast_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine on an event loop of its own."""
    return runner(request.param)
