"""Times as clients write them: the instant, and the wall time and zone that it comes from."""

import hashlib
import os
import re
import zoneinfo
from calendar import isleap, month_name
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

if "PYTHONTZPATH" not in os.environ:
    # Machines have databases of different ages, and the worker must resolve times as the API does.
    zoneinfo.reset_tzpath(())

_OF_THE_MACHINE = frozenset({"localtime", "posixrules", "Factory"})
_PACKAGED = files("tzdata") / "zoneinfo"


@cache
def zone_names() -> frozenset[str]:
    """Return every IANA zone name.

    Names such as `localtime` are left out: they mean another zone on each machine.
    """
    return frozenset(zoneinfo.available_timezones() - _OF_THE_MACHINE)


class UnknownZone(LookupError):
    """No zone has this name, or none any more."""


def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """Return a zone. Raises UnknownZone."""
    if name not in zone_names():
        raise UnknownZone(name)
    return zoneinfo.ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class ZoneData:
    """The identity of a version of the database: its editors' name for it, and a digest of its content."""

    version: str
    """A name such as 2026b, which is greater than those of all older versions; empty if it is not known."""
    digest: str

    def is_older_than(self, other_version: str) -> bool:
        """Return whether it is certainly older than another version."""
        return bool(self.version and other_version) and self.version < other_version


def reread() -> ZoneData:
    """Return the identity of the database now, and have zones read from it again. Reads some 600 small files."""
    digest = hashlib.sha256()
    for name in sorted(zoneinfo.available_timezones() - _OF_THE_MACHINE):
        digest.update(name.encode() + b"\0" + _content(name))
    data = ZoneData(zone_version(), digest.hexdigest())
    # Cleared last: if the files change meanwhile, the digest is the old one, and the next call returns another.
    zoneinfo.ZoneInfo.clear_cache()
    zone_names.cache_clear()
    return data


def zone_version() -> str:
    """Return the editors' name for the database's version; empty if a folder of PYTHONTZPATH does not name it."""
    folders = [Path(folder) for folder in zoneinfo.TZPATH if Path(folder).is_dir()]
    root: Traversable = folders[0] if folders else _PACKAGED
    source = root / "tzdata.zi"
    first_line = source.read_text(encoding="utf-8").partition("\n")[0] if source.is_file() else ""
    return first_line.removeprefix("# version ") if first_line.startswith("# version ") else ""


def _content(name: str) -> bytes:
    for folder in zoneinfo.TZPATH:
        if (path := Path(folder, name)).is_file():
            return path.read_bytes()
    return _PACKAGED.joinpath(*name.split("/")).read_bytes()


LATE_COUNTS_AS_NOW = timedelta(minutes=5)
HORIZON_YEARS = 5

_DATE_TIME = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt ]"
    r"(?P<time>\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)"
    r"(?P<offset>[Zz]|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
"""The form of a date without a time."""


def horizon(now: datetime) -> datetime:
    """Return the last instant that a post may be scheduled for; of a leap day, the last of February."""
    year = now.year + HORIZON_YEARS
    return now.replace(year=year, day=28 if (now.month, now.day) == (2, 29) and not isleap(year) else now.day)


@dataclass(frozen=True, slots=True)
class ScheduledTime:
    """The instant at which a post is due and, if the client gave no offset, the wall time it comes from."""

    instant: datetime
    wall: str | None
    zone: str

    @property
    def is_moved(self) -> bool:
        """Return whether a clock change skips the wall time, so that the instant is later by the gap."""
        try:
            local = self.instant.astimezone(zone_named(self.zone)).replace(tzinfo=None)
        except UnknownZone:
            return False
        return self.wall is not None and local != datetime.fromisoformat(self.wall)

    def in_zone(self, zone: str) -> "ScheduledTime":
        """Return the schedule under another zone: a wall time moves with it, an instant stays."""
        return resolve(self.wall, zone) if self.wall else ScheduledTime(self.instant, None, zone)


class NoSuchTime(ValueError):
    """A date or time that is written correctly, but is in no calendar or on no clock. Its text says which part."""


def parse_date_time(text: str) -> datetime:
    """Parse an ISO 8601 date and time; the result is aware if the text has an offset.

    Raises NoSuchTime if only the form is right, ValueError if it is not.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        if DATE.fullmatch(text):
            # A day that does not exist would be wrong with a time, too.
            _parse_date(text)
        raise ValueError("not an ISO 8601 date and time such as 2026-02-01T14:00:00Z")
    whole, dot, fraction = match["time"].replace(",", ".").partition(".")
    day, offset = _parse_date(match["date"]), match["offset"] or ""
    try:
        return datetime.fromisoformat(f"{day}T{whole}{dot}{fraction[:6]}{offset.upper()}")
    except ValueError:
        raise NoSuchTime(f"there is no time {match['time']}{offset}") from None


def parse_date(text: str) -> date:
    """Parse an ISO 8601 date. Raises NoSuchTime if only the form is right, ValueError if it is not."""
    if not DATE.fullmatch(text):
        raise ValueError("not an ISO 8601 date such as 2026-02-01")
    return _parse_date(text)


def day_beginning(day: date, zone: tzinfo) -> datetime:
    """Return when a day begins in a zone, in UTC: after a clock change that skips its midnight. Raises OverflowError.

    A midnight that occurs twice begins the day when it occurs first.
    """
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _parse_date(text: str) -> date:
    year, month, day = (int(part) for part in text.split("-"))
    try:
        return date(year, month, day)
    except ValueError:
        if year and 1 <= month <= 12:
            raise NoSuchTime(f"{month_name[month]} {year} has no day {day}") from None
        raise NoSuchTime(f"there is no month {text[:7]}") from None


def resolve(text: str, zone: str) -> ScheduledTime:
    """Resolve a client's `scheduledFor` in the zone it named.

    A wall time that a DST change skips moves forward by the gap; of a repeated one the first occurrence counts
    (RFC 5545, section 3.3.5). Raises ValueError for text that is no date and time, UnknownZone.
    """
    moment = parse_date_time(text)
    if moment.tzinfo is None:
        return _at_wall_time(moment, zone)
    try:
        return ScheduledTime(moment.astimezone(UTC), None, zone)
    except OverflowError as error:
        raise ValueError("the date is out of range") from error


def wall_instant(wall_time: datetime, zone: tzinfo) -> datetime:
    """Return the instant of a wall time in a zone, in UTC, by the rules of `resolve`. Raises ValueError."""
    try:
        # fold=0 picks the offset before a change, which is both rules together.
        return wall_time.replace(tzinfo=zone, fold=0).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the date is out of range") from error


def _at_wall_time(wall_time: datetime, zone: str) -> ScheduledTime:
    return ScheduledTime(wall_instant(wall_time, zone_named(zone)), wall_time.isoformat(), zone)


_SHIFT = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift of a time: `days` on the calendar of its zone, then `exact`."""

    days: int
    exact: timedelta


def parse_shift(text: str) -> Shift:
    """Parse an ISO 8601 duration of weeks, days, hours and minutes, with a minus sign if it is a shift back.

    Raises ValueError for any other duration, and for zero.
    """
    match = _SHIFT.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 duration such as P1D")
    part = {name: int(value) for name, value in match.groupdict(default="0").items() if name != "sign"}
    sign = -1 if match["sign"] == "-" else 1
    shift = Shift(
        sign * (7 * part["weeks"] + part["days"]), sign * timedelta(hours=part["hours"], minutes=part["minutes"])
    )
    if not shift.days and not shift.exact:
        raise ValueError("the duration is zero")
    return shift


def shifted(schedule: ScheduledTime, shift: Shift) -> ScheduledTime:
    """Return a schedule moved by weeks and days of wall time in its zone, and then by hours and minutes of time.

    So a post at 09:00 stays at 09:00 when clocks change in between. A time that was given as wall time stays one,
    unless it ends in the second of two equal hours, which wall time cannot name. Raises ValueError if the date is out
    of range, UnknownZone.
    """
    zone = zone_named(schedule.zone)
    try:
        # A wall time that a clock change skips is moved as it was given: 02:30 of the next day is 02:30.
        wall_time = (
            parse_date_time(schedule.wall) if schedule.wall else schedule.instant.astimezone(zone).replace(tzinfo=None)
        )
        moved = _at_wall_time(wall_time + timedelta(days=shift.days), schedule.zone) if shift.days else schedule
        instant = moved.instant + shift.exact
        if schedule.wall is None:
            return ScheduledTime(instant, None, schedule.zone)
        if not shift.exact:
            return moved
        as_wall = _at_wall_time(instant.astimezone(zone).replace(tzinfo=None), schedule.zone)
    except OverflowError as error:
        raise ValueError("the date is out of range") from error
    return as_wall if as_wall.instant == instant else ScheduledTime(instant, None, schedule.zone)


def parse_bound(text: str, *, end: bool, zone: tzinfo = UTC) -> datetime:
    """Parse a list filter: a date and time, or a bare date that covers its whole day, in `zone` if it has no offset.

    `end` asks for the last instant covered. Raises NoSuchTime, ValueError for anything else, OverflowError.
    """
    if DATE.fullmatch(text):
        clock = time.max if end else time.min
        # Of a time that a clock change repeats, the day ends with the second.
        moment = datetime.combine(_parse_date(text), clock, zone).replace(fold=int(end))
    else:
        moment = parse_date_time(text)
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)


def local_time(moment: datetime, zone: str) -> str | None:
    """Write an aware datetime as the wall time of a zone, without an offset; None if there is no such zone any more."""
    if zone == "UTC":
        return rfc3339(moment)[:-1]
    try:
        return _written(moment.astimezone(zone_named(zone)))
    except (UnknownZone, OverflowError):
        return None


@lru_cache(4096)
def rfc3339(moment: datetime) -> str:
    """Write an aware datetime as UTC with Z: to the second if it has no fraction, otherwise to the millisecond."""
    return _written(moment.astimezone(UTC)) + "Z"


def _written(moment: datetime) -> str:
    """Write the date and time without the offset. Cut, because `isoformat` takes longer for a `timespec`."""
    return moment.isoformat()[: len("2026-02-01T14:00:00.123") if moment.microsecond else len("2026-02-01T14:00:00")]
