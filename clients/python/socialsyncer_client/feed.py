"""Iterators of a workspace's events, which wait for the next one without an end."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from socialsyncer_client.generated.events import AnyEvent
from socialsyncer_client.generated.models import EventFeed
from socialsyncer_client.generated.types import UNSET, Unset

LONG_POLL_S = 25
"""The seconds for which a request waits if there is no event."""


class _Position:
    """The events of the page that were not read yet, and the cursor of the page before."""

    def __init__(self, after: str | None) -> None:
        self.cursor = after
        self._next_cursor = after
        self._events: deque[AnyEvent] = deque()

    @property
    def after(self) -> str | Unset:
        """Return the cursor with which the next page is asked for."""
        return self.cursor if self.cursor is not None else UNSET

    def next_event(self) -> AnyEvent | None:
        """Return the next event of the page; None if all are read, and so may be forgotten."""
        if self._events:
            return self._events.popleft()
        self.cursor = self._next_cursor
        return None

    def turn(self, page: EventFeed) -> None:
        """Continue with another page."""
        self._events.extend(page.events)
        self._next_cursor = page.cursor


class FollowedEvents:
    """An endless iterator of events.

    Attributes:
        cursor: Continue with it later as `after`. It counts an event only when the next page is asked for: after a
            crash some events may come twice, with the same `id`, and none is missed.
    """

    def __init__(self, read: Callable[[str | Unset], EventFeed], after: str | None) -> None:
        self._read = read
        self._position = _Position(after)

    @property
    def cursor(self) -> str | None:
        """Return the cursor after the last page that was read whole."""
        return self._position.cursor

    def __iter__(self) -> FollowedEvents:
        return self

    def __next__(self) -> AnyEvent:
        while (event := self._position.next_event()) is None:
            self._position.turn(self._read(self._position.after))
        return event


class AsyncFollowedEvents:
    """The same for asyncio."""

    def __init__(self, read: Callable[[str | Unset], Awaitable[EventFeed]], after: str | None) -> None:
        self._read = read
        self._position = _Position(after)

    @property
    def cursor(self) -> str | None:
        """Return the cursor after the last page that was read whole."""
        return self._position.cursor

    def __aiter__(self) -> AsyncFollowedEvents:
        return self

    async def __anext__(self) -> AnyEvent:
        while (event := self._position.next_event()) is None:
            self._position.turn(await self._read(self._position.after))
        return event
