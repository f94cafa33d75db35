"""Exceptions of a series belong to days: they stay in effect if a change of the rules moves the times of a day."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from domain.recurrence.expansion import Pattern, S, Segment, rule_walls


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

    @property
    def is_uneven(self) -> bool:
        """Return whether the numbers of times differ, so that no time takes the place of another."""
        return bool(self.exceptions) and len(self.before) != len(self.after)

    @property
    def held(self) -> dict[datetime, datetime]:
        """Return the wall times that get no post, each with the exception that it takes over.

        A day with an exception gains no post: a new time takes the place of an old one, or none is added.
        """
        gone = [wall for wall in self.before if wall not in self.after]
        added = [wall for wall in self.after if wall not in self.before]
        if self.is_uneven:
            held = dict.fromkeys(added, min(self.exceptions))
        else:
            pairs = zip(gone, added, strict=False)
            held = {new: old for old, new in pairs if old in self.exceptions or old in self.taken}
        return {new: old for new, old in held.items() if new >= self.since}


def changed_days(
    before: Pattern[Any],
    after: Pattern[Any],
    exceptions: Collection[datetime],
    taken: Collection[datetime] = (),
    cuts: Collection[date] = (),
) -> Iterator[ChangedDay]:
    """Yield the days with exceptions or taken times whose wall times differ between two patterns.

    `cuts`: further days, on which a change begins.
    """
    by_day: dict[date, list[datetime]] = defaultdict(list)
    for wall in exceptions:
        by_day[wall.date()].append(wall)
    days = {*by_day, *(wall.date() for wall in taken), *cuts}
    old, new = day_walls(before, days), day_walls(after, days)
    for day in sorted(days):
        if old[day] != new[day]:
            since = _last_segment(after, day).since
            stay = {wall for wall in old[day] if wall < since or wall in taken}
            yield ChangedDay(day, by_day[day], stay, old[day], new[day], since)


def carry_exclusions(after: Pattern[S], days: Collection[ChangedDay]) -> Pattern[S]:
    """Return a changed pattern whose exclusions are in effect for the same days as before, replaced by other ones."""
    exclude = set(after.exclude)
    for day in days:
        if held := day.held:
            exclude -= set(day.exceptions) - {*day.after, *day.taken, *after.include}
            exclude |= held.keys()
    return replace(after, exclude=frozenset(exclude))


def day_walls(pattern: Pattern[Any], days: Collection[date]) -> dict[date, list[datetime]]:
    """Return all wall times of days by the rule that is in effect at the end of each."""
    walls: dict[date, list[datetime]] = {day: [] for day in days}
    for segment in pattern.segments:
        if own := {day for day in days if _last_segment(pattern, day) is segment}:
            first, end = datetime.combine(min(own), time()), datetime.combine(max(own), time()) + timedelta(days=1)
            # The days may be years apart, with 24 times on each day between them.
            for wall in rule_walls(segment, first, end, lambda day: day not in own):
                walls[wall.date()].append(wall)
    return walls


def _last_segment(pattern: Pattern[Any], day: date) -> Segment:
    segment: Segment = pattern.segment_at(datetime.combine(day, time.max))
    return segment
