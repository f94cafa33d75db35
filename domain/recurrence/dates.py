"""The dates of a rule, one period after the other. They have neither times nor zones.

A search costs at most one step for each day until its end, whatever the rule says: a rule may be a stranger's.
"""

from calendar import isleap, monthrange
from collections.abc import Iterator
from datetime import date, timedelta

from domain.recurrence.rule import Frequency, MissingDay, Recurrence, Weekday

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
