"""A calendar as soon as it has changed: a request waits for the events of its workspace."""

import asyncio
import random
from contextlib import suppress

from api.auth import readmit, request_viewer
from api.calendar.days import read_days
from api.calendar.queries import CalendarQuery
from api.dependencies import Dependencies
from api.events.feed import listen
from api.http.etags import entity_tag, has_current
from api.http.headers import HttpRequest
from api.shared.waiting import Deadline
from api.views import write_json
from domain.errors import TooManyRequests, Unavailable

MOST_FOLLOWERS = 50
"""Requests of one workspace that wait for its calendar in one process, and as many by its views; our choice."""
_APART_S = 1.0
"""About how many seconds lie between two reads of a calendar by one request: many events are seen by one of them."""


async def read_changed_days(
    deps: Dependencies, request: HttpRequest, workspace_id: str, query: CalendarQuery, deadline: Deadline
) -> bytes:
    """Return a calendar as soon as it is not the one that the caller has, or at the deadline.

    The caller learns of no event, only whether what it may see has changed. Raises as `read_days`, and Unauthorized
    if the caller's token is revoked meanwhile.
    """
    viewer = request_viewer(request)
    body = b""

    async def has_changed() -> bool:
        nonlocal body
        if body:
            await _pause(deadline)
            await readmit(request)
        while True:
            try:
                body = write_json(await read_days(deps, request, workspace_id, viewer, query))
            except TooManyRequests:
                # The same event has woken others, who read first.
                if not body or not deadline.seconds_left:
                    raise
                await _pause(deadline)
            else:
                return not has_current(request, entity_tag(body))

    if deadline.seconds_left:
        # If a long transaction or a restore is under way, the calendar is read again at the deadline alone.
        with suppress(Unavailable):
            await listen(deps, workspace_id)
    await deps.feeds.wait_for_event(workspace_id, has_changed, deadline.seconds_left)
    return body


async def _pause(deadline: Deadline) -> None:
    # Not all at the same moment.
    await asyncio.sleep(min(random.uniform(0.5, 1.5) * _APART_S, deadline.seconds_left))  # noqa: S311 no secret
