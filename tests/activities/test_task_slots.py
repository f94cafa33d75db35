"""In a crowd, posts are published before they are reported, and a task that has only to report gives its slot back."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from activities import task_slots
from activities.task_slots import TaskSlots

CONTEXT: Any = SimpleNamespace(slot_type="workflow", slot_info=None)


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(task_slots, "_CALM_S", 0.1)
    return 0.1


def later(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def turns() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_slot_is_given_to_the_next_when_it_is_released() -> None:
    slots = TaskSlots(1)
    await slots.reserve_slot(CONTEXT)
    assert slots.try_reserve_slot(CONTEXT) is None
    second, third = (asyncio.create_task(slots.reserve_slot(CONTEXT)) for _ in range(2))
    await turns()
    assert not second.done()
    await asyncio.to_thread(slots.release_slot, CONTEXT)
    await turns()
    assert second.done()
    assert not third.done()
    third.cancel()
    await asyncio.to_thread(slots.release_slot, CONTEXT)
    await turns()
    assert slots.try_reserve_slot(CONTEXT) is not None
    assert slots.try_reserve_slot(CONTEXT) is None


async def test_slot_of_a_cancelled_turn_is_not_lost() -> None:
    slots = TaskSlots(1)
    await slots.reserve_slot(CONTEXT)
    waiting = asyncio.create_task(slots.reserve_slot(CONTEXT))
    await turns()
    slots.release_slot(CONTEXT)
    # The next turn of the loop gives the slot to the one that waits, which is cancelled in the same moment.
    asyncio.get_running_loop().call_soon(waiting.cancel)
    await asyncio.gather(waiting, return_exceptions=True)
    await turns()
    assert waiting.cancelled()
    assert slots.try_reserve_slot(CONTEXT) is not None


async def test_task_that_has_only_to_report_gives_its_slot_back(calm: float) -> None:
    slots = TaskSlots(1)
    await slots.reserve_slot(CONTEXT)
    following = asyncio.create_task(slots.reserve_slot(CONTEXT))
    with slots.running("post"), slots.running("post"):
        reports = [asyncio.create_task(slots.wait_to_report("post", later(5)))]
        await turns()
        assert not following.done(), "another step of the task still runs"
    reports.append(asyncio.create_task(slots.wait_to_report("post", later(5))))
    await turns()
    assert following.done()
    assert not any(report.done() for report in reports)
    await asyncio.sleep(calm * 2)
    await asyncio.gather(*reports)
    # While it reports, its slot does not count. When both are given back, there is one slot again.
    assert slots.try_reserve_slot(CONTEXT) is None
    slots.release_slot(CONTEXT)
    assert slots.try_reserve_slot(CONTEXT) is None
    slots.release_slot(CONTEXT)
    assert slots.try_reserve_slot(CONTEXT) is not None
    assert slots.try_reserve_slot(CONTEXT) is None


@pytest.mark.usefixtures("calm")
async def test_result_waits_while_steps_begin_and_no_longer_than_its_task_is_held() -> None:
    slots = TaskSlots()
    with slots.running("first"):
        pass
    began = later(0)
    reports = {seconds: asyncio.create_task(slots.wait_to_report("first", later(seconds))) for seconds in (0.2, 5)}
    while later(0) < began + 0.4:
        with slots.running("another"):
            await asyncio.sleep(0.02)
    assert reports[0.2].done()
    assert not reports[5].done()
    async with asyncio.timeout(2):
        await reports[5]


@pytest.mark.usefixtures("calm")
async def test_only_so_many_results_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_slots, "MOST_REPORTS", 3)
    slots = TaskSlots()
    with slots.running("running"):
        waiting = [asyncio.create_task(slots.wait_to_report(f"post {n}", later(5))) for n in range(4)]
        await turns()
        assert [report.done() for report in waiting] == [False, False, False, True]
        slots.report_all()
        await turns()
        assert all(report.done() for report in waiting)
