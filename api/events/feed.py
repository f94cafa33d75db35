"""The feed of a workspace's events: who begins to read it lets the workspace listen."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from api.dependencies import Dependencies
from api.events.schemas import EventView, FeedView
from api.http.query import NO_CURSOR, Query, decode_cursor, encode_cursor
from api.shared.waiting import Deadline
from domain.errors import Gone, Problem, Unavailable
from domain.schedule import rfc3339
from domain.webhooks import KEPT
from platforms.codes import event_data
from store.events import (
    FeedEvent,
    FeedPage,
    FeedPosition,
    Listening,
    begin_listening,
    complete_listening,
    read_events,
    read_listener,
    read_present,
)

_EXPIRED = Problem(
    "This cursor is older than the events that are kept. Read the posts that you follow, then the feed without `after`",
    "cursor_expired",
    "after",
)
_NOT_YET = Problem("A long transaction is running; the feed begins after its end. Please try again", "unavailable")
_MARGIN = timedelta(hours=1)
"""How much earlier than its events a cursor expires: an event is a little older than its commit."""
_BEGINS_WITHIN_S = 5.0
_LARGEST = {"x": 2**64, "s": 2**63, "t": 2**35}
"""The numbers of a cursor are below these: PostgreSQL's, and seconds until the year 3058."""


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """A place in a feed, and when it was read."""

    position: FeedPosition
    at: datetime


def read_after(text: str) -> FeedCursor | Literal["now"]:
    """Return where a client continues. Raises ValueError."""
    return "now" if text == "now" else read_cursor(text)


def write_cursor(position: FeedPosition, at: datetime) -> str:
    """Return the cursor of a place that was read at a time."""
    return encode_cursor({"x": position.xid, "s": position.seq, "t": int(at.timestamp())})


def read_cursor(text: str) -> FeedCursor:
    """Return what a cursor says. Raises ValueError."""
    content = decode_cursor(text)
    xid, seq, seconds = (_number(content.get(name), below) for name, below in _LARGEST.items())
    return FeedCursor(FeedPosition(xid, seq), datetime.fromtimestamp(seconds, UTC))


def _number(value: object, below: int) -> int:
    if type(value) is not int or not 0 <= value < below:
        raise ValueError(NO_CURSOR)
    return value


async def read_feed(deps: Dependencies, workspace_id: str, query: Query, deadline: Deadline) -> FeedView:
    """Return the events that a client asks for, and wait for the first one. Raises Gone, Unavailable."""
    listening = await listen(deps, workspace_id)
    since = max(listening.since, listening.now - KEPT)
    cursor: FeedCursor | None = query["after"]
    if query["after"] == "now":
        cursor = FeedCursor(await read_present(deps.database), listening.now)
    # To the second, as a cursor has its time.
    if cursor and cursor.at < max(since.replace(microsecond=0), listening.now - KEPT + _MARGIN):
        raise Gone(_EXPIRED)
    page = FeedPage((), cursor.position if cursor else FeedPosition(), has_more=False)

    async def has_events() -> bool:
        nonlocal page
        # Behind what was looked at before.
        page = await read_events(deps.database, workspace_id, page.end, query["type"] or None, query["limit"])
        return bool(page.events) or page.has_more

    await deps.feeds.wait_for_event(workspace_id, has_events, deadline.seconds_left)
    return FeedView(
        events=[_view(event) for event in page.events],
        cursor=write_cursor(page.end, listening.now) if cursor or page.events or page.has_more else None,
        hasMore=page.has_more,
        since=rfc3339(since),
    )


async def listen(deps: Dependencies, workspace_id: str) -> Listening:
    """Return since when the workspace listens, and let it listen from now on if it does not. Raises Unavailable."""
    listening = await read_listener(deps.database, workspace_id)
    if listening is not None:
        return listening
    await deps.restoring.require_finished()
    await begin_listening(deps.database, workspace_id)
    end = asyncio.get_running_loop().time() + _BEGINS_WITHIN_S
    while asyncio.get_running_loop().time() < end:
        await complete_listening(deps.database, workspace_id)
        if listening := await read_listener(deps.database, workspace_id):
            return listening
        await asyncio.sleep(0.05)
    raise Unavailable(_NOT_YET)


def _view(event: FeedEvent) -> EventView:
    return EventView(id=event.id, event=event.type, timestamp=rfc3339(event.at), data=event_data(event.data))
