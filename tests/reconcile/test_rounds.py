"""Background tasks continue after a round that failed."""

import asyncio

from structlog.testing import capture_logs

from domain.errors import Problem, Unavailable
from reconcile.rounds import BackgroundTask, running_tasks


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
