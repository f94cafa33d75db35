"""Rules as RRULE text (RFC 5545, and SKIP of RFC 7529), read and written."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time
from itertools import product
from typing import Any

from domain.recurrence.rule import DayRule, Frequency, MissingDay, Recurrence, RecurrenceFault, Weekday
from domain.schedule import resolve
from domain.zones import zone_named

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
