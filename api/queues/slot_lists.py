"""Lists of the slots of a queue, and the posts that have them."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from api.http.moments import read_moment
from api.http.query import Query
from api.queues.schemas import SlotListView, SlotView
from domain.errors import InvalidRequest, Problem
from domain.queues import MOST_DAYS, SlotStatus, slot_status
from domain.schedule import HORIZON_YEARS, local_time, rfc3339, zone_named
from store.models import Queue
from store.queues.queues import slot_rule
from store.queues.slots import posts_in_slots

_USUAL = timedelta(days=30)
_FARTHEST = timedelta(days=366 * HORIZON_YEARS)


class SlotRange(NamedTuple):
    """A range of time, of which both ends are included."""

    first: datetime
    last: datetime


def read_range(query: Query, timezone: str, now: datetime) -> SlotRange:
    """Return the range that a query asks for: 30 days from now if it says nothing. Raises InvalidRequest."""
    problems: list[Problem] = []

    def bound(name: str, *, end: bool) -> datetime | None:
        time = read_moment(name, query[name], timezone, problems, end=end) if query[name] else None
        if time is not None and abs(time.instant - now) > _FARTHEST:
            sentence = f"{name} must be within {HORIZON_YEARS} years of now"
            problems.append(Problem(sentence, "invalid_field_value", name))
        return time.instant if time else None

    first, last = bound("from", end=False), bound("to", end=True)
    if first is None:
        first = now if last is None else last - _USUAL
    last = first + _USUAL if last is None else last
    if not problems and not timedelta(0) <= last - first <= timedelta(days=MOST_DAYS, hours=1):
        sentence = f"to must be at or after from, and at most {MOST_DAYS} days later"
        problems.append(Problem(sentence, "invalid_field_value", "to"))
    if problems:
        raise InvalidRequest(problems)
    return SlotRange(first, last)


async def list_slots(session: AsyncSession, queue: Queue, selection: SlotRange) -> SlotListView:
    """Return the slots of a queue in a range, the soonest first."""
    zone, now, rule = zone_named(queue.timezone), datetime.now(UTC), slot_rule(queue)
    # A day more on both sides: clock changes move slots, and posts may have slots of an earlier zone.
    days = [
        moment.astimezone(zone).date() + timedelta(days=day) for moment, day in zip(selection, (-1, 1), strict=True)
    ]
    posts = await posts_in_slots(session, queue.id, days[0], days[1])
    statuses = {slot.instant: slot_status(rule, slot, now) for slot in rule.slots(days[0], days[1])}
    statuses |= dict.fromkeys(posts, SlotStatus.TAKEN)
    return SlotListView(
        timezone=queue.timezone,
        slots=[
            SlotView(
                at=rfc3339(at),
                local=local_time(at, queue.timezone) or "",
                status=statuses[at],
                postId=posts.get(at),
            )
            for at in sorted(statuses)
            if selection.first <= at <= selection.last
        ],
    )
