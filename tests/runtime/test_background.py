"""Background tasks that fail are started again."""

import asyncio

from structlog.testing import capture_logs

from runtime.background import supervised


async def test_a_failed_background_task_is_logged_and_restarted() -> None:
    times, twice = 0, asyncio.Event()

    async def broken() -> None:
        nonlocal times
        times += 1
        if times == 2:
            twice.set()
            await asyncio.Event().wait()
        raise ZeroDivisionError

    with capture_logs() as lines:
        async with supervised({"sweep": broken}, pause_s=0.01):
            await asyncio.wait_for(twice.wait(), 5)
    # The worker of other tests may log in this time, too.
    assert [line["task"] for line in lines if line["event"] == "background_task.failed"] == ["sweep"]
    assert times == 2, "it ends with the block"
