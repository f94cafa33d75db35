"""The occurrences of a series: the wall times of its rules, their instants, and the days that changed rules hold."""

from calendar import isleap, monthrange
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import partial
from heapq import merge
from itertools import groupby
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from domain.recurrence.rule import Frequency, MissingDay, Recurrence, Weekday
from domain.schedule import wall_instant, zone_named

_WEEKDAYS = tuple(Weekday)


def recurring_dates(rule: Recurrence, start: date, end: date) -> Iterator[date]:
    """Yield the dates of a rule from its start to before `end`, in order, without regard of `count` and `until`.

    A weekday without a number and one with a number are both in, as RFC 5545 has it.
    """
    matches = _Matching(rule, start)
    for period in _periods(rule, start, end):
        days = [day for day in period if matches(day)]
        if rule.by_set_position:
            places = {at - 1 if at > 0 else len(days) + at for at in rule.by_set_position}
            days = [day for place, day in enumerate(days) if place in places]
        yield from (day for day in days if start <= day < end)


def _periods(rule: Recurrence, start: date, end: date) -> Iterator[Iterator[date]]:
    """Yield the days of each period of a rule, from that of its start to before `end`."""
    if rule.frequency.has_month_days:
        months = 12 if rule.frequency is Frequency.YEARLY else 1
        first = start.replace(day=1, month=1 if months == 12 else start.month)
        while first < end:
            yield _days(first, sum(monthrange(first.year, first.month + n)[1] for n in range(months)))
            number = first.year * 12 + first.month - 1 + rule.interval * months
            first = date(number // 12, number % 12 + 1, 1)
        return
    length = 7 if rule.frequency is Frequency.WEEKLY else 1
    first_weekday = _WEEKDAYS.index(rule.first_day_of_week)
    first = start - timedelta(days=(start.weekday() - first_weekday) % length)
    while first < end:
        yield _days(first, length)
        first += timedelta(days=rule.interval * length)


def _days(first: date, number: int) -> Iterator[date]:
    return (date.fromordinal(day) for day in range(first.toordinal(), first.toordinal() + number))


class _Matching:
    """The days of a period that a rule has, before it chooses among them by their positions."""

    def __init__(self, rule: Recurrence, start: date) -> None:
        by_default = rule.frequency is Frequency.WEEKLY and not rule.by_day
        self._months = frozenset(rule.months(start))
        self._month_days = frozenset(rule.month_days(start))
        self._moves_backward = rule.skip is MissingDay.BACKWARD
        self._weekdays = {_WEEKDAYS.index(day.day) for day in rule.by_day if not day.nth_of_period}
        self._weekdays |= {start.weekday()} if by_default else set()
        self._nth = {(_WEEKDAYS.index(day.day), day.nth_of_period) for day in rule.by_day if day.nth_of_period}
        self._counts_in_year = rule.frequency is Frequency.YEARLY and not rule.by_month

    def __call__(self, day: date) -> bool:
        if day.month not in self._months:
            return False
        if self._month_days and not self._has_month_day(day):
            return False
        return not (self._weekdays or self._nth) or day.weekday() in self._weekdays or self._has_nth(day)

    def _has_month_day(self, day: date) -> bool:
        left = monthrange(day.year, day.month)[1] - day.day
        is_missing = self._moves_backward and not left and max(self._month_days) > day.day
        return is_missing or day.day in self._month_days or -left - 1 in self._month_days

    def _has_nth(self, day: date) -> bool:
        if not self._nth:
            return False
        place, length = day.day, monthrange(day.year, day.month)[1]
        if self._counts_in_year:
            place, length = day.timetuple().tm_yday, 366 if isleap(day.year) else 365
        weekday = day.weekday()
        return (weekday, (place - 1) // 7 + 1) in self._nth or (weekday, -((length - place) // 7) - 1) in self._nth


FARTHEST = timedelta(days=5 * 365 + 1)
"""How far ahead a rule is searched for occurrences: as far as posts may be scheduled."""
_NO_END = datetime.max  # noqa: DTZ901 a wall time
_LONGEST_GAP = timedelta(hours=25)
"""More than any clock change has ever skipped: the whole of 30 December 2011 in Samoa."""


class RuleSkip(StrEnum):
    """The reason why a wall time of a rule has no post."""

    EXCLUDED = "excluded"
    SAME_INSTANT = "same_instant"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A wall time of a series, which is its key whatever happens to its post, and its instant."""

    wall: datetime
    instant: datetime
    moved_by_clock_change: bool
    """Whether a clock change skips the wall time, so that the instant has another one."""
    skip: RuleSkip | None = None

    @property
    def key(self) -> str:
        """Return the wall time as text."""
        return self.wall.isoformat()


class Segment(BaseModel):
    """A rule with its zone, in effect for wall times from `since` to the next segment's."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    timezone: str
    start: datetime
    recurrence: Recurrence


S = TypeVar("S", bound=Segment)


@dataclass(frozen=True, slots=True)
class Pattern(Generic[S]):
    """The segments of a series, earliest first, and the wall times that its rules do not decide."""

    segments: Sequence[S]
    exclude: frozenset[datetime] = frozenset()
    include: frozenset[datetime] = frozenset()

    def segment_at(self, wall: datetime) -> S:
        """Return the segment in effect at a wall time; before all, the first."""
        return next((segment for segment in reversed(self.segments) if segment.since <= wall), self.segments[0])


def expand(
    pattern: Pattern[S], first: datetime, end: datetime, is_needless: Callable[[date], bool] = lambda _: False
) -> Iterator[Occurrence]:
    """Yield the occurrences with wall times from `first` to before `end`, in order, the skipped ones too.

    All are resolved from the rule, never from the one before. `is_needless`: whether the rules' occurrences on a day
    make no difference, so that these need not be resolved. Raises UnknownZone.
    """
    ends = [*(segment.since for segment in pattern.segments[1:]), _NO_END]
    for segment, segment_end in zip(pattern.segments, ends, strict=True):
        begin, stop = max(first, segment.since), min(end, segment_end)
        if begin < stop:
            yield from _expand_segment(pattern, segment, begin, stop, is_needless)


def _expand_segment(
    pattern: Pattern[S], segment: S, first: datetime, end: datetime, is_needless: Callable[[date], bool]
) -> Iterator[Occurrence]:
    zone = zone_named(segment.timezone)
    # Of two wall times at one instant the later is skipped, so those shortly before `first` count, too.
    since = max(segment.since, first - _LONGEST_GAP)
    included = sorted(wall for wall in pattern.include if since <= wall < end)
    earlier: dict[datetime, datetime] = {}
    for wall, _ in groupby(merge(rule_walls(segment, since, end, is_needless), included)):
        instant = wall_instant(wall, zone)
        moved = instant.astimezone(zone).replace(tzinfo=None) != wall
        skip = _find_skip(wall, instant, pattern.exclude, earlier)
        if skip is None:
            earlier = {at: by for at, by in earlier.items() if wall - by <= _LONGEST_GAP} | {instant: wall}
        if wall >= first:
            yield Occurrence(wall, instant, moved, skip)


def _find_skip(
    wall: datetime, instant: datetime, exclude: frozenset[datetime], earlier: dict[datetime, datetime]
) -> RuleSkip | None:
    if wall in exclude:
        return RuleSkip.EXCLUDED
    return RuleSkip.SAME_INSTANT if instant in earlier else None


def rule_walls(
    segment: Segment, since: datetime, end: datetime, is_needless: Callable[[date], bool]
) -> Iterator[datetime]:
    """Yield the wall times of a segment's rule from `since` to before `end`; it is counted from its start.

    `is_needless` is as of `expand`.
    """
    start, rule = segment.start, segment.recurrence
    until = min(end, rule.until or _NO_END)
    times, first_times, remaining = _times(segment), [at for at in _times(segment) if at >= start.time()], rule.count
    for day in recurring_dates(rule, start.date(), until.date() + timedelta(days=1)):
        of_day = times if day > start.date() else first_times
        if remaining is not None:
            of_day = of_day[:remaining]
            remaining -= len(of_day)
        if day >= since.date() and not is_needless(day):
            walls = (datetime.combine(day, at) for at in of_day)
            yield from (wall for wall in walls if since <= wall < end and wall <= until)
        if remaining == 0:
            return


def _times(segment: Segment) -> list[time]:
    return sorted(set(segment.recurrence.times)) or [segment.start.time()]


@dataclass(frozen=True, slots=True)
class ChangedDay:
    """A day with exceptions whose wall times a change of the rules changes."""

    day: date
    exceptions: Collection[datetime]
    """The wall times that a person has excluded, or whose post a person has deleted or edited."""
    taken: Collection[datetime]
    """The wall times whose posts stay, because they have begun or come before the change."""
    before: Sequence[datetime]
    """All wall times of the day by the old rules, in order."""
    after: Sequence[datetime]
    since: datetime
    """From when on the new rules are in effect, which may be in the middle of the day."""
    edited: Collection[datetime] = ()
    """The exceptions with a post that stays."""

    @property
    def is_uneven(self) -> bool:
        """Return whether the numbers of times differ, so that no time takes the place of another."""
        return bool(self.exceptions) and len(self.before) != len(self.after)

    @property
    def held(self) -> dict[datetime, datetime]:
        """Return the wall times that get no post, each with the exception that it takes over.

        A day with an exception gains no post: a new time takes the place of an old one, or none is added. If edited
        posts stay at other times, the last times of the day give way to them.
        """
        gone = [wall for wall in self.before if wall not in self.after]
        added = [wall for wall in self.after if wall not in self.before]
        if self.is_uneven:
            held = dict.fromkeys(added, min(self.exceptions))
        else:
            pairs = zip(gone, added, strict=False)
            held = {new: old for old, new in pairs if old in self.exceptions or old in self.taken}
        free = [wall for wall in self.after if wall not in {*self.exceptions, *self.taken, *held}]
        edited = [wall for wall in self.edited if wall not in self.after]
        fixed = sum(wall in self.after for wall in {*self.edited, *self.taken})
        most = max(len(self.after) - fixed - len(edited), 0)
        if edited:
            held |= dict.fromkeys(free[most:], min(edited))
        return {new: old for new, old in held.items() if new >= self.since}


def changed_days(
    before: Pattern[Any],
    after: Pattern[Any],
    exceptions: Collection[datetime],
    taken: Collection[datetime] = (),
    cuts: Collection[date] = (),
    edited: Collection[datetime] = (),
) -> Iterator[ChangedDay]:
    """Yield the days with exceptions or taken times whose wall times differ between two patterns.

    `cuts`: further days, on which a change begins. `edited`: the exceptions with a post that stays.
    """
    by_day: dict[date, list[datetime]] = defaultdict(list)
    for wall in exceptions:
        by_day[wall.date()].append(wall)
    days = {*by_day, *(wall.date() for wall in taken), *cuts}
    old, new = day_walls(before, days, in_effect=True), day_walls(after, days)
    for day in sorted(days):
        if old[day] != new[day]:
            since = _last_segment(after, day).since
            stay = {wall for wall in old[day] if wall < since or wall in taken}
            own = {wall for wall in by_day[day] if wall in edited}
            yield ChangedDay(day, by_day[day], stay, old[day], new[day], since, own)


def carry_exclusions(after: Pattern[S], days: Collection[ChangedDay]) -> Pattern[S]:
    """Return a changed pattern whose exclusions are in effect for the same days as before, replaced by other ones."""
    exclude = set(after.exclude)
    for day in days:
        if held := day.held:
            exclude -= set(day.exceptions) - {*day.after, *day.taken, *after.include}
            exclude |= held.keys()
    return replace(after, exclude=frozenset(exclude))


def day_walls(pattern: Pattern[Any], days: Collection[date], *, in_effect: bool = False) -> dict[date, list[datetime]]:
    """Return all wall times of days by the rule that is in effect at the end of each.

    `in_effect`: each by the rule that is in effect then.
    """
    walls: dict[date, list[datetime]] = {day: [] for day in days}
    ends = [*(segment.since for segment in pattern.segments[1:]), _NO_END]
    for segment, stop in zip(pattern.segments, ends, strict=True):
        own = {
            day
            for day in days
            if (segment.since.date() <= day <= stop.date() if in_effect else _last_segment(pattern, day) is segment)
        }
        if own:
            first, end = datetime.combine(min(own), time()), datetime.combine(max(own), time()) + timedelta(days=1)
            if in_effect:
                first, end = max(first, segment.since), min(end, stop)
            # The days may be years apart, with 24 times on each day between them.
            for wall in rule_walls(segment, first, end, partial(_is_outside, own)):
                walls[wall.date()].append(wall)
    return walls


def _is_outside(days: Collection[date], day: date) -> bool:
    return day not in days


def _last_segment(pattern: Pattern[Any], day: date) -> Segment:
    segment: Segment = pattern.segment_at(datetime.combine(day, time.max))
    return segment
