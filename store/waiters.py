"""Requests of one process that wait for rows to change."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping


class Waiters:
    """The requests that wait, by what they wait for: the id of a post, for example."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._seen: Mapping[str, str | None] = {}

    async def wait(
        self,
        key: str,
        done: Callable[[], Awaitable[bool]],
        timeout: float,  # noqa: ASYNC109
        *,
        new: bool = False,
    ) -> bool:
        """Return True as soon as `done` does, False after `timeout` seconds. No connection is held in between.

        `new` skips the first check: nothing can have happened yet.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        event = asyncio.Event()
        # Before the first check, so that no change after it is missed.
        self._waiting[key].add(event)
        try:
            while new or not await done():
                new = False
                remaining = deadline - asyncio.get_running_loop().time()
                if remaining <= 0:
                    return False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(remaining):
                        await event.wait()
                event.clear()
            return True
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    @property
    def keys(self) -> list[str]:
        """Return what requests wait for."""
        return list(self._waiting)

    def wake(self, keys: Iterable[str]) -> None:
        """Let the requests that wait for these check."""
        for key in keys:
            for event in self._waiting.get(key, ()):
                event.set()

    def wake_changed(self, versions: Mapping[str, str | None]) -> None:
        """Let those check of which the version has changed since the last call, or that had none."""
        self.wake(key for key, version in versions.items() if self._seen.get(key, "") != version)
        self._seen = versions
