"""Queues: the weekly times at which the posts of some accounts go out, and the free slots among them."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property

from domain.campaigns import Blackout, CampaignRules
from domain.schedule import ScheduledTime, wall_instant, zone_named

SHORTEST_NOTICE = timedelta(minutes=1)
"""How far ahead a slot must be to be taken."""
FARTHEST = timedelta(days=365)
"""How far ahead a slot may be to be taken."""
MOST_QUEUES = 100
"""Queues of a workspace."""
MOST_SLOTS = 200
"""Slots of a queue in a week."""
MOST_DAYS = 62
"""Days of which slots are listed at once."""
_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_WIDEST_OFFSET = timedelta(hours=26)
"""More than any wall time differs from UTC."""
NEXT = "next"
"""The name by which a post asks for the queue of its accounts."""


class Weekday(StrEnum):
    """A day of the week, as JSCalendar (RFC 8984) names it."""

    MONDAY = "mo"
    TUESDAY = "tu"
    WEDNESDAY = "we"
    THURSDAY = "th"
    FRIDAY = "fr"
    SATURDAY = "sa"
    SUNDAY = "su"


_WEEK = tuple(Weekday)


class SlotStatus(StrEnum):
    """The status of a slot of a queue."""

    FREE = "free"
    TAKEN = "taken"
    """A post has it, or had it when it was due."""
    BLACKOUT = "blackout"
    """No post has it, and none gets it: a blackout of the queue covers it."""
    PAST = "past"
    """No post has it, and it is over, or less than a minute ahead."""


class TimeRanges:
    """Ranges of time, of each the first instant and the first after it."""

    def __init__(self, ranges: Iterable[tuple[datetime, datetime]]) -> None:
        self._starts: list[datetime] = []
        self._ends: list[datetime] = []
        for start, end in sorted(ranges):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def cover(self, moment: datetime) -> bool:
        """Return whether a moment lies in one of them."""
        at = bisect_right(self._starts, moment) - 1
        return at >= 0 and moment < self._ends[at]

    def cover_day(self, day: date) -> bool:
        """Return whether one of them covers a whole day of every zone."""
        first = datetime.combine(day, time(), UTC) - _WIDEST_OFFSET
        at = bisect_right(self._starts, first) - 1
        return at >= 0 and first + timedelta(days=1) + 2 * _WIDEST_OFFSET <= self._ends[at]


NEVER = TimeRanges(())


@dataclass(frozen=True)
class SlotRule:
    """The rule that makes the slots of a queue: weekly wall times in a zone, and the days without any."""

    timezone: str
    weekly: frozenset[tuple[Weekday, time]]
    blackouts: tuple[Blackout, ...] = ()

    def slots(
        self, first: date, last: date, is_closed: Callable[[date], bool] = lambda _: False
    ) -> Iterator[ScheduledTime]:
        """Yield the slots whose wall times are on these days, the soonest first, those in blackouts included.

        A wall time that a clock change skips moves forward by the gap. If it meets another slot there, the two are one.
        `is_closed`: whether no slot of a day is wanted, nor one that is moved from it. Raises UnknownZone.
        """
        zone = zone_named(self.timezone)
        clocks = {day: sorted(at for slot_day, at in self.weekly if slot_day is day) for day in Weekday}
        moved: dict[datetime, ScheduledTime] = {}
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            times = () if is_closed(day) else reversed(clocks[_WEEK[day.weekday()]])
            # Of two wall times at one instant the earlier one stays, because it is the last one written.
            walls = {wall_instant(wall, zone): wall for wall in (datetime.combine(day, at) for at in times)}
            slots = {at: ScheduledTime(at, wall.isoformat(), self.timezone) for at, wall in walls.items()} | moved
            midnight = wall_instant(datetime.combine(day + timedelta(days=1), time()), zone)
            yield from (slots[instant] for instant in sorted(slots) if instant < midnight)
            # A zone that skips the end of a day, or the whole day, moves slots to times of the next one.
            moved = {instant: slot for instant, slot in slots.items() if instant >= midnight}
        yield from (moved[instant] for instant in sorted(moved))

    @cached_property
    def closed(self) -> TimeRanges:
        """Return when blackouts close the queue."""
        return TimeRanges(blackout.range_in(self.timezone) for blackout in self.blackouts)


@dataclass(frozen=True, slots=True)
class TakenSlots:
    """The slots that posts have: by wall time, and by instant, because two wall times may be one instant."""

    walls: Collection[str]
    instants: Collection[datetime]

    def include(self, slot: ScheduledTime) -> bool:
        """Return whether a post has this slot, or one at the same instant."""
        return slot.wall in self.walls or slot.instant in self.instants


def free_slots(
    rule: SlotRule,
    taken: TakenSlots,
    now: datetime,
    closed: TimeRanges = NEVER,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[ScheduledTime]:
    """Yield the slots that posts may take now, the soonest first.

    `closed`: further ranges of time without slots; `since`, `until`: the first and the last instant that are searched.
    Raises UnknownZone.
    """
    zone = zone_named(rule.timezone)
    earliest, latest = max(now + SHORTEST_NOTICE, since or now), min(now + FARTHEST, until or _END)
    # One day more: a clock change may move a slot to the day after that of its wall time.
    first, last = earliest.astimezone(zone).date() - timedelta(days=1), latest.astimezone(zone).date()
    for slot in rule.slots(first, last, lambda day: rule.closed.cover_day(day) or closed.cover_day(day)):
        is_open = not rule.closed.cover(slot.instant) and not closed.cover(slot.instant)
        if earliest <= slot.instant <= latest and is_open and not taken.include(slot):
            yield slot


def slot_status(rule: SlotRule, slot: ScheduledTime, now: datetime) -> SlotStatus:
    """Return the status of a slot that no post has."""
    if slot.instant < now + SHORTEST_NOTICE:
        return SlotStatus.PAST
    return SlotStatus.BLACKOUT if rule.closed.cover(slot.instant) else SlotStatus.FREE


def closed_by_campaign(campaign: CampaignRules | None) -> TimeRanges:
    """Return for which ranges of time a campaign has no posts: before it, after it, and in blackouts.

    Raises UnknownZone.
    """
    if campaign is None:
        return NEVER
    before = [(_BEGINNING, campaign.starts_at)] if campaign.starts_at else []
    return TimeRanges([*before, *((first, end or _END) for first, end in campaign.closed_ranges)])
