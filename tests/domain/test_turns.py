"""Turns: waiting holders continue one after the other, and no unit is lost."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.shares import Shares, TooManyWaiting, Turns


def new_slots(number: int, most_per_holder: int, most_waiting: int) -> Turns:
    return Turns(Shares(number, most_per_holder, leaves_room=False), most_waiting)


class Jobs:
    """Jobs that hold a slot until they are ended; `began` notes the order."""

    def __init__(self, slots: Turns) -> None:
        self._slots = slots
        self.began: list[str] = []
        self.running: list[tuple[str, asyncio.Event]] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def _hold(self, workspace: str) -> None:
        slot = await self._slots.take(workspace)
        self.began.append(workspace)
        entry = workspace, asyncio.Event()
        self.running.append(entry)
        try:
            await entry[1].wait()
        finally:
            self.running.remove(entry)
            self._slots.release(slot)

    async def ask(self, workspaces: Sequence[str]) -> None:
        self.tasks += [asyncio.create_task(self._hold(workspace)) for workspace in workspaces]
        await _settle()

    async def end_first(self) -> None:
        self.running[0][1].set()
        await _settle()

    async def end_all(self) -> None:
        while self.running:
            await self.end_first()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_workspaces_take_turns() -> None:
    jobs = Jobs(new_slots(1, 1, 10))
    await jobs.ask("aaaabcb")
    await jobs.end_all()
    assert "".join(jobs.began) == "aabcaba"


async def test_a_workspace_leaves_room_for_others() -> None:
    jobs = Jobs(new_slots(2, 1, 10))
    await jobs.ask("aa")
    assert jobs.began == ["a"]
    await jobs.ask("b")
    assert jobs.began == ["a", "b"]
    await jobs.end_all()
    assert jobs.began == ["a", "b", "a"]


async def test_waiters_of_a_workspace_are_limited() -> None:
    slots = new_slots(1, 1, 2)
    jobs = Jobs(slots)
    await jobs.ask("aaa")
    with pytest.raises(TooManyWaiting):
        await slots.take("a")
    await jobs.ask("b")
    await jobs.end_all()
    assert jobs.began == ["a", "a", "b", "a"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["end", "cancel", "both", "none"])), max_size=25))
async def test_no_slot_is_lost_or_given_twice(steps: list[tuple[str, str]]) -> None:
    slots = new_slots(2, 2, 5)
    jobs = Jobs(slots)
    for workspace, then in steps:
        await jobs.ask(workspace)
        assert len(jobs.running) <= 2
        if then in {"end", "both"} and jobs.running:
            # The jobs' ends and the cancellation below happen in one iteration of the event loop.
            jobs.running[0][1].set()
        if then in {"cancel", "both"}:
            waiting = [task for task in jobs.tasks if not task.done()]
            if waiting:
                waiting[-1].cancel()
        await _settle()
    await jobs.end_all()
    for task in jobs.tasks:
        task.cancel()
    await asyncio.gather(*jobs.tasks, return_exceptions=True)
    jobs = Jobs(slots)
    await jobs.ask("abc")
    assert jobs.began == ["a", "b"]
    await jobs.end_all()
    assert jobs.began == ["a", "b", "c"]
