"""A rule by which dates recur, the checks of what it may say, and its text as RFC 5545 writes it."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from enum import StrEnum
from itertools import product
from typing import Any

from pydantic import BaseModel, ConfigDict

from domain.schedule import resolve, zone_named

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


_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})Z?)?", re.ASCII)
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_MOST_NUMBERS = 366


def read_rrule(text: str, start: datetime, zone: str) -> Recurrence:
    """Return the rule that a text states; an UNTIL in UTC becomes wall time of the zone. Raises RecurrenceFault."""
    parts = _split(text)
    if "FREQ" not in parts:
        raise RecurrenceFault("FREQ", "an RRULE needs FREQ")
    fields = {field: value for name, text in parts.items() if name in _READERS for field, value in [_read(name, text)]}
    fields.pop("rscale", None)
    if until := parts.get("UNTIL"):
        fields["until"] = _read_until(until, zone)
    if _CLOCK & parts.keys():
        fields["times"] = _read_times(parts, start)
    if len(fields.get("times", ())) > 1 and "BYSETPOS" in parts:
        # In an RRULE it would count times, and here it counts days.
        raise RecurrenceFault("BYSETPOS", "BYSETPOS is not supported beside several times a day")
    return Recurrence(**fields)


def _split(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = part.upper().partition("=")
        if name.startswith("DTSTART"):
            raise RecurrenceFault("DTSTART", "leave DTSTART out: `start` says when the series begins")
        if not equals or name in parts:
            raise RecurrenceFault(
                name[:20], f"{name[:20] or 'an empty part'} is no part of an RRULE, or is there twice"
            )
        if name not in _READERS and name not in _CLOCK:
            raise RecurrenceFault(name[:20], f"{name[:20]} is not supported")
        parts[name] = value
    return parts


def _read(name: str, text: str) -> tuple[str, Any]:
    field, read = _READERS[name]
    try:
        return field, read(text)
    except ValueError:
        raise RecurrenceFault(name, f"{name}={text[:40]} is not supported") from None


def write_rrule(rule: Recurrence, start: datetime, zone: str) -> str | None:
    """Return the text of a rule; None if its times are not some hours at the same minutes, which is all it can say."""
    clock = _write_times(rule, start)
    if clock is None:
        return None
    parts = {
        "RSCALE": "GREGORIAN" if rule.skip else None,
        "FREQ": rule.frequency.upper(),
        "INTERVAL": rule.interval if rule.interval != 1 else None,
        "WKST": rule.first_day_of_week.upper() if rule.first_day_of_week is not Weekday.MO else None,
        "BYMONTH": _joined(rule.by_month),
        "BYMONTHDAY": _joined(rule.by_month_day),
        "BYDAY": _joined(f"{day.nth_of_period or ''}{day.day.upper()}" for day in rule.by_day),
        **clock,
        "BYSETPOS": _joined(rule.by_set_position),
        "SKIP": rule.skip.upper() if rule.skip else None,
        "COUNT": rule.count,
        "UNTIL": f"{resolve(rule.until.isoformat(), zone).instant:%Y%m%dT%H%M%SZ}" if rule.until else None,
    }
    return ";".join(f"{name}={value}" for name, value in parts.items() if value)


def _joined(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def _write_times(rule: Recurrence, start: datetime) -> dict[str, str] | None:
    hours, minutes = sorted({at.hour for at in rule.times}), sorted({at.minute for at in rule.times})
    product_of_both = {time(hour, minute, start.second) for hour, minute in product(hours, minutes)}
    if set(rule.times) != product_of_both or (len(rule.times) > 1 and rule.by_set_position):
        return None
    return {"BYHOUR": _joined(hours), "BYMINUTE": _joined(minutes)}


def _read_times(parts: dict[str, str], start: datetime) -> tuple[time, ...]:
    try:
        hours = _numbers(parts.get("BYHOUR", str(start.hour)))
        minutes = _numbers(parts.get("BYMINUTE", str(start.minute)))
        return tuple(sorted({time(hour, minute, start.second) for hour, minute in product(hours, minutes)}))
    except ValueError:
        raise RecurrenceFault("BYHOUR", "BYHOUR or BYMINUTE has a number that is not on the clock") from None


def _read_until(text: str, zone: str) -> datetime:
    match = _UNTIL.fullmatch(text)
    digits = match[1] + (match[2] or "235959") if match else ""
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007 a wall time
        return (
            moment.replace(tzinfo=UTC).astimezone(zone_named(zone)).replace(tzinfo=None) if text[-1] == "Z" else moment
        )
    except (ValueError, OverflowError):
        raise RecurrenceFault("UNTIL", "UNTIL is a date, or a date and time such as 20261224T080000Z") from None


def _numbers(text: str) -> tuple[int, ...]:
    numbers = text.split(",", _MOST_NUMBERS)
    if not all(re.fullmatch(r"[+-]?\d{1,3}", number, re.ASCII) for number in numbers):
        raise ValueError(text)
    return tuple(map(int, numbers))


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _days(text: str) -> tuple[DayRule, ...]:
    matches = [_DAY.fullmatch(day) for day in text.split(",", _MOST_NUMBERS)]
    if not all(matches):
        raise ValueError(text)
    return tuple(
        DayRule(day=Weekday(match[2].lower()), nth_of_period=int(match[1]) if match[1] else None)
        for match in matches
        if match
    )


def _gregorian(text: str) -> str:
    if text != "GREGORIAN":
        raise ValueError(text)
    return text


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "FREQ": ("frequency", lambda text: Frequency(text.lower())),
    "INTERVAL": ("interval", _number),
    "COUNT": ("count", _number),
    "UNTIL": ("until", str),
    "WKST": ("first_day_of_week", lambda text: Weekday(text.lower())),
    "BYMONTH": ("by_month", _numbers),
    "BYMONTHDAY": ("by_month_day", _numbers),
    "BYDAY": ("by_day", _days),
    "BYSETPOS": ("by_set_position", _numbers),
    "SKIP": ("skip", lambda text: MissingDay(text.lower())),
    "RSCALE": ("rscale", _gregorian),
}
_CLOCK = frozenset({"BYHOUR", "BYMINUTE"})
