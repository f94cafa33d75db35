"""The dates of a rule. They have neither times nor zones: dateutil is wrong about both at clock changes."""

from collections.abc import Iterable, Iterator
from datetime import MAXYEAR, date, datetime, time
from heapq import merge
from itertools import groupby, product
from typing import Any, Literal

from dateutil import rrule

from domain.recurrence.rule import DayRule, Frequency, MissingDay, Recurrence, Weekday

_FREQUENCIES: dict[Frequency, Literal[0, 1, 2, 3]] = {
    Frequency.DAILY: rrule.DAILY,
    Frequency.WEEKLY: rrule.WEEKLY,
    Frequency.MONTHLY: rrule.MONTHLY,
    Frequency.YEARLY: rrule.YEARLY,
}
_WEEKDAYS = {weekday: rrule.weekday(number) for number, weekday in enumerate(Weekday)}
_CYCLE = 400
"""Years after which dates have the same weekdays again."""
_LEAST_YEARS = 50
"""Years of dates that are always available: ten times as far as posts may be scheduled."""
_IN_EVERY_MONTH = 28
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
"""Days of the months that never have 31."""


def recurring_dates(rule: Recurrence, start: date) -> Iterator[date]:
    """Yield the dates of a rule from its start on, in order, without regard of `count` and `until`.

    dateutil looks for dates until the year 9999, also for a rule that has none. So it gets a start some cycles of the
    calendar later, which bounds its work: the dates are the same.
    """
    if rule.skip is not MissingDay.BACKWARD and not _has_a_month_day(rule):
        return
    ahead = _CYCLE * max(0, (MAXYEAR - _LEAST_YEARS - start.year) // _CYCLE)
    first = datetime.combine(start.replace(year=start.year + ahead), time())
    rules = _backward_rules(rule, start, first) if rule.skip is MissingDay.BACKWARD else [_library_rule(rule, first)]
    for moment, _ in groupby(merge(*rules)):
        yield moment.date().replace(year=moment.year - ahead)


def _has_a_month_day(rule: Recurrence) -> bool:
    """Return whether one of the rule's days of the month is in one of its months, in some year."""
    days, months = rule.by_month_day or (1,), rule.by_month or (1,)
    return any(abs(day) <= _LONGEST.get(month, 31) for day in days for month in months)


def _library_rule(rule: Recurrence, first: datetime, **parts: Any) -> Iterable[datetime]:
    return rrule.rrule(
        _FREQUENCIES[rule.frequency],
        first,
        **{
            "interval": rule.interval,
            "wkst": _WEEKDAYS[rule.first_day_of_week],
            "bymonth": rule.by_month or None,
            "bymonthday": rule.by_month_day or None,
            "byweekday": [_weekday(day) for day in rule.by_day] or None,
            "bysetpos": rule.by_set_position or None,
            **parts,
        },
    )


def _backward_rules(rule: Recurrence, start: date, first: datetime) -> list[Iterable[datetime]]:
    """Return rules whose dates together are those of a rule that moves missing days to the last day of the month.

    The last of the days 28 to n is day n, or the last day of a shorter month.
    """
    days = rule.month_days(start)
    rules: list[Iterable[datetime]] = []
    if common := [day for day in days if day <= _IN_EVERY_MONTH]:
        rules.append(_library_rule(rule, first, bymonthday=common, bymonth=rule.months(start)))
    # The last of a year would be in one month only, so each month of a yearly rule has a rule.
    months = [(month,) for month in rule.months(start)] if rule.frequency is Frequency.YEARLY else [rule.months(start)]
    for day, in_months in product((day for day in days if day > _IN_EVERY_MONTH), months):
        last = tuple(range(_IN_EVERY_MONTH, day + 1))
        rules.append(_library_rule(rule, first, bymonthday=last, bymonth=in_months, bysetpos=-1))
    return rules


def _weekday(day: DayRule) -> rrule.weekday:
    return _WEEKDAYS[day.day](day.nth_of_period) if day.nth_of_period else _WEEKDAYS[day.day]
