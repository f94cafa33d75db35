"""The occurrences of a series: the wall times of its rules, and the instants at which they are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from heapq import merge
from itertools import groupby
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from domain.recurrence.dates import recurring_dates
from domain.recurrence.rule import Recurrence
from domain.schedule import wall_instant
from domain.zones import zone_named

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
