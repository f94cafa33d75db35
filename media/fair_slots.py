"""Slots that workspaces get in turn."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooManyWaiting(Exception):
    """As many of the workspace's own jobs wait as may. About every `interval` seconds one of them takes its turn."""

    interval = 1.0


class FairSlots:
    """Slots that go to the waiting workspaces one after the other, and within one in the order of arrival.

    A workspace holds at most `per_workspace` of the `slots` at a time, and at most `waiting` of its jobs wait.
    """

    def __init__(self, slots: int, *, per_workspace: int, waiting: int) -> None:
        self._free = slots
        self._per_workspace = per_workspace
        self._waiting = waiting
        self._held: Counter[str] = Counter()
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}
        """The waiting workspaces; the first is the next to get a slot."""

    @asynccontextmanager
    async def slot(self, workspace: str) -> AsyncIterator[None]:
        """Hold a slot for the length of the block. Raises TooManyWaiting."""
        await self._take(workspace)
        try:
            yield
        finally:
            self._release(workspace)

    async def _take(self, workspace: str) -> None:
        if self._free and self._held[workspace] < self._per_workspace:
            self._grant(workspace)
            return
        queue = self._queues.setdefault(workspace, deque())
        if len(queue) >= self._waiting:
            raise TooManyWaiting
        granted = asyncio.get_running_loop().create_future()
        queue.append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self._release(workspace)
            elif granted in queue:
                queue.remove(granted)
                if not queue:
                    self._queues.pop(workspace, None)
            raise

    def _grant(self, workspace: str) -> None:
        self._free -= 1
        self._held[workspace] += 1

    def _release(self, workspace: str) -> None:
        self._free += 1
        self._held[workspace] -= 1
        while self._free:
            chosen = next((waiting for waiting in self._queues if self._held[waiting] < self._per_workspace), None)
            if chosen is None:
                break
            queue = self._queues.pop(chosen)
            granted = queue.popleft()
            if queue:
                # The workspace goes to the end of the queue.
                self._queues[chosen] = queue
            if not granted.done():
                self._grant(chosen)
                granted.set_result(None)
        # Workspaces without a slot need no count.
        self._held = +self._held
