"""A rule by which dates recur, and the checks of what it may say."""

from collections.abc import Iterator
from datetime import date, datetime, time
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

MOST_TIMES = 24
"""Times of a day that one rule may have; our choice."""
LONGEST_INTERVAL = 400
"""Years after which the calendar's dates and weekdays are the same again: a longer interval has no use."""
MOST_COUNTED = 10_000
"""Occurrences that `count` may ask for: 24 a day for more than a year; our choice."""

_SHORTEST = {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}
"""Days that a month has in every year, if these are fewer than 31."""
_LONGEST = {**_SHORTEST, 2: 29}
"""Days that a month has in some year, if these are fewer than 31."""
_ALWAYS = 28
"""Days that every month has."""


class Frequency(StrEnum):
    """The period of a rule."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"

    @property
    def has_month_days(self) -> bool:
        """Return whether the period consists of months, of which some are short."""
        return self in {Frequency.MONTHLY, Frequency.YEARLY}


class Weekday(StrEnum):
    """A day of the week, in the order of `date.weekday`."""

    MO = "mo"
    TU = "tu"
    WE = "we"
    TH = "th"
    FR = "fr"
    SA = "sa"
    SU = "su"


class MissingDay(StrEnum):
    """The treatment of a day that a month does not have (RFC 7529)."""

    OMIT = "omit"
    BACKWARD = "backward"


class DayRule(BaseModel):
    """A weekday, or the nth of a month or year; a negative number counts from its end."""

    model_config = ConfigDict(frozen=True)

    day: Weekday
    nth_of_period: int | None = None


class Recurrence(BaseModel):
    """A rule; `times` replace the time of day of its start. `until` is a wall time, and included."""

    model_config = ConfigDict(frozen=True)

    frequency: Frequency
    interval: int = 1
    by_day: tuple[DayRule, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_month: tuple[int, ...] = ()
    by_set_position: tuple[int, ...] = ()
    first_day_of_week: Weekday = Weekday.MO
    times: tuple[time, ...] = ()
    count: int | None = None
    until: datetime | None = None
    skip: MissingDay | None = None

    def month_days(self, start: date) -> tuple[int, ...]:
        """Return the days of the month that the rule names, or takes from its start."""
        if self.by_month_day or self.by_day or not self.frequency.has_month_days:
            return self.by_month_day
        return (start.day,)

    def months(self, start: date) -> tuple[int, ...]:
        """Return the months in which the rule may have dates."""
        from_start = self.frequency is Frequency.YEARLY and not self.by_day and not self.by_month_day
        return self.by_month or ((start.month,) if from_start else tuple(range(1, 13)))


class RecurrenceFault(ValueError):
    """A part of a rule that is not supported, or that contradicts another. Its text is a sentence for a person."""

    def __init__(self, part: str, text: str) -> None:
        self.part = part
        super().__init__(text)


class MissingSkipFault(RecurrenceFault):
    """A rule with a day that some months do not have, and without the treatment of those months."""

    def __init__(self, days: int) -> None:
        self.days = days
        super().__init__("skip", f"not every month has {days} days: say skip, omit or backward")


def check_rule(rule: Recurrence, start: datetime) -> None:
    """Raise RecurrenceFault for the first part that the rule may not have."""
    for fault in _faults(rule, start):
        raise fault


def _faults(rule: Recurrence, start: datetime) -> Iterator[RecurrenceFault]:
    yield from _faults_of_numbers(rule)
    if rule.count is not None and rule.until is not None:
        yield RecurrenceFault("until", "a rule ends by count or by until, not by both")
    yield from _faults_of_days(rule)
    if rule.by_set_position and not (rule.frequency.has_month_days and (rule.by_day or rule.by_month_day)):
        text = "bySetPosition needs a monthly or yearly rule with byDay or byMonthDay"
        yield RecurrenceFault("bySetPosition", text)
    elif (farthest := max(map(abs, rule.by_set_position), default=0)) > (most := _most_days(rule)):
        text = (
            f"no {rule.frequency.removesuffix('ly')} has more than {most} of the rule's days, so none is at {farthest}"
        )
        yield RecurrenceFault("bySetPosition", text)
    if rule.skip is not None and not rule.frequency.has_month_days:
        yield RecurrenceFault("skip", "skip needs a monthly or yearly rule")
    days = rule.month_days(start)
    if rule.skip is MissingDay.BACKWARD and (rule.by_day or rule.by_set_position or min(days, default=0) < -_ALWAYS):
        text = f"skip backward cannot be combined with byDay, bySetPosition or days before -{_ALWAYS}"
        yield RecurrenceFault("skip", text)
    if rule.frequency.has_month_days and rule.skip is None:
        yield from _faults_of_short_months(days, rule.months(start))


def _faults_of_numbers(rule: Recurrence) -> Iterator[RecurrenceFault]:
    for part, numbers, greatest, may_be_negative in (
        ("interval", (rule.interval,), LONGEST_INTERVAL, False),
        ("count", (1 if rule.count is None else rule.count,), MOST_COUNTED, False),
        ("byMonth", rule.by_month, 12, False),
        ("byMonthDay", rule.by_month_day, 31, True),
        ("bySetPosition", rule.by_set_position, 366, True),
    ):
        if not all(1 <= (abs(number) if may_be_negative else number) <= greatest for number in numbers):
            text = f"{part} is from 1 to {greatest}" + (", or negative" if may_be_negative else "")
            yield RecurrenceFault(part, text)
    if len(rule.times) > MOST_TIMES:
        yield RecurrenceFault("times", f"a rule has at most {MOST_TIMES} times a day")


def _faults_of_days(rule: Recurrence) -> Iterator[RecurrenceFault]:
    if rule.by_month_day and rule.frequency is Frequency.WEEKLY:
        yield RecurrenceFault("byMonthDay", "a weekly rule has no byMonthDay")
    in_months = rule.frequency is Frequency.MONTHLY or bool(rule.by_month)
    for day in rule.by_day:
        if day.nth_of_period is None:
            continue
        if not rule.frequency.has_month_days:
            yield RecurrenceFault("byDay", "nthOfPeriod needs a monthly or yearly rule")
        elif not 1 <= abs(day.nth_of_period) <= (5 if in_months else 53):
            yield RecurrenceFault("byDay", "nthOfPeriod is from 1 to 5 in a month, or to 53 in a year, or negative")


def _most_days(rule: Recurrence) -> int:
    """Return a number of days that no month or year of a rule exceeds, before positions choose among them."""
    weekdays = {day for day in rule.by_day if day.nth_of_period is None}
    nth_days = set(rule.by_day) - weekdays
    days = 0
    for month in set(rule.by_month) or range(1, 13):
        length = _LONGEST.get(month, 31)
        of_weekdays = 4 * len(weekdays) + min(len(weekdays), length - _ALWAYS) + len(nth_days)
        of_month_days = sum(abs(day) <= length for day in set(rule.by_month_day))
        in_month = min(length, of_weekdays if rule.by_day else length, of_month_days if rule.by_month_day else length)
        days = days + in_month if rule.frequency is Frequency.YEARLY else max(days, in_month)
    counts_in_year = rule.frequency is Frequency.YEARLY and rule.by_day and not rule.by_month
    return min(days, 53 * len(weekdays) + len(nth_days)) if counts_in_year else days


def _faults_of_short_months(days: tuple[int, ...], months: tuple[int, ...]) -> Iterator[RecurrenceFault]:
    for day in days:
        if any(abs(day) > _SHORTEST.get(month, 31) for month in months):
            yield MissingSkipFault(abs(day))
