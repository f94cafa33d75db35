"""The slots of a worker for workflow tasks. In a crowd, posts are published first and reported to Temporal afterwards.

To report the results of a post's steps, and to end the task of its workflow, takes a third of what the post costs in
all. While many posts are due at once, this work would delay those that are not public yet.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from temporalio.worker import (
    CustomSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
)

WORKFLOW_TASKS = 80
"""A task that a worker has taken is no longer shared fairly between workspaces, and waits for ten seconds if the worker
dies, so it takes few."""

MOST_REPORTS = 600
"""How many results of a worker may wait to be reported."""

_CALM_S = 0.2
"""For how long no step has begun when a crowd is over."""

_REPORTS_AT_ONCE, _PAUSE_S = 16, 0.01
"""So many results are reported at once, and then others have their turn."""


@dataclass(slots=True)
class _Task:
    """The steps of a post that run within one task of its workflow, and those whose results wait."""

    running: int = 0
    waiting: int = 0

    @property
    def is_published(self) -> bool:
        """Return whether nothing is left to do for the task but to report."""
        return self.waiting > 0 and self.running == 0


class TaskSlots(CustomSlotSupplier):
    """Slots for workflow tasks. A task that has only to report gives its slot to the next one.

    Temporal's SDK takes slots on the event loop of the worker, and gives them back on its own threads.
    """

    def __init__(self, most: int = WORKFLOW_TASKS) -> None:
        self._most = most
        self._lock = threading.Lock()
        """Held for changes of the three numbers."""
        self._taken = 0
        """Slots that the SDK has, those with which it waits for a task included."""
        self._published = 0
        """Tasks that have only to report, and wait."""
        self._reporting = 0
        """Tasks that report now. The SDK does not say whose slot it gives back; each of these gives back one."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns = deque[asyncio.Future[None]]()
        """Those who wait for a slot."""
        self._tasks: dict[str, _Task] = {}
        """By the id of the post."""
        self._reports = deque[asyncio.Future[None]]()
        """The results that wait, oldest first."""
        self._reporter: asyncio.Task[None] | None = None
        self._began_at = float("-inf")

    # -- slots -------------------------------------------------------------------------------------------------------

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Take a slot, and wait for it if there is none."""
        _ = ctx
        self._loop = asyncio.get_running_loop()
        if self._turns or not self._take():
            self._turns.append(turn := self._loop.create_future())
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._give_back()
                raise
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """Take a slot if there is one."""
        _ = ctx
        return SlotPermit() if self._take() else None

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """Count nothing: a slot with which the SDK waits for a task is taken, too."""

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """Give a slot back."""
        _ = ctx
        self._give_back()

    def _take(self) -> bool:
        with self._lock:
            is_free = self._taken - self._published - self._reporting < self._most
            self._taken += is_free
        return is_free

    def _give_back(self) -> None:
        with self._lock:
            self._taken -= 1
            self._reporting = max(self._reporting - 1, 0)
        if self._loop is not None:
            # The loop is closed if the worker's process ends.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._serve)

    def _serve(self) -> None:
        while self._turns and (self._turns[0].done() or self._take()):
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)

    # -- reports -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self, post_id: str) -> Iterator[None]:
        """Mark a step of a post as running for the length of the block."""
        self._began_at = asyncio.get_running_loop().time()
        self._change(post_id, running=1)
        try:
            yield
        finally:
            self._change(post_id, running=-1)

    async def wait_to_report(self, post_id: str, until: float) -> None:
        """Wait with the result of a step until the crowd is over, at most until a time of the event loop's clock."""
        if len(self._reports) >= MOST_REPORTS:
            return
        if self._reporter is None:
            self._reporter = asyncio.create_task(self._report())
        self._reports.append(turn := asyncio.get_running_loop().create_future())
        self._change(post_id, waiting=1)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await turn
        finally:
            self._change(post_id, waiting=-1)

    async def _report(self) -> None:
        """Let all report once the crowd is over."""
        loop = asyncio.get_running_loop()
        # Every step that begins puts the end off.
        while (wait := self._began_at + _CALM_S - loop.time()) > 0 and self._reports:  # noqa: ASYNC110
            await asyncio.sleep(wait)
        while self._reports:
            self._report_some()
            await asyncio.sleep(_PAUSE_S)
        self._reporter = None

    def _report_some(self, most: int = _REPORTS_AT_ONCE) -> None:
        for _ in range(min(most, len(self._reports))):
            turn = self._reports.popleft()
            if not turn.done():
                turn.set_result(None)

    def report_all(self) -> None:
        """Let all report: the worker stops."""
        self._report_some(len(self._reports))

    def _change(self, post_id: str, running: int = 0, waiting: int = 0) -> None:
        task = self._tasks.setdefault(post_id, _Task())
        before = task.is_published
        task.running += running
        task.waiting += waiting
        change = task.is_published - before
        with self._lock:
            self._published += change
            if change < 0 and not task.running:
                self._reporting += 1
        if not (task.running or task.waiting):
            del self._tasks[post_id]
        if change > 0:
            self._serve()
