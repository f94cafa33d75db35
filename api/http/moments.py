"""The reader of times in requests, and the time as rows hold it. Without an offset a time is in its object's zone."""

from datetime import UTC, datetime

from domain.errors import InvalidRequest, Problem
from domain.schedule import DATE, NoSuchTime, ScheduledTime, UnknownZone, parse_bound, resolve, zone_named

_TIME = "an ISO 8601 date and time: wall time such as 2030-02-01T14:00, or an instant such as 2030-02-01T14:00:00Z"
_DATE_OR_TIME = "an ISO 8601 date or date and time, such as 2030-02-01 or 2030-02-01T14:00:00Z"


def read_moment(
    param: str, text: str, zone: str, problems: list[Problem], *, end: bool | None = None, hint: str = ""
) -> ScheduledTime | None:
    """Return a time; None if it cannot be read, and then a problem is added.

    `zone`: that of the object that the time is about, for a time without an offset; UTC if the object has none.
    `end`: a bare date is its whole day, of which the end or the beginning is asked for; None if it needs a time.
    """
    try:
        if end is not None and DATE.fullmatch(text):
            return ScheduledTime(parse_bound(text, end=end, zone=zone_named(zone)), None, zone)
        return resolve(text, zone)
    except UnknownZone:
        # Zones of requests were checked: this is that of an older object, which the time zone data no longer have.
        sentence = f"The time zone {zone} no longer exists; give another timezone"
        problems.append(Problem(sentence, "invalid_field_value", "timezone"))
    except NoSuchTime as error:
        sentence = f"{param} names a time that does not exist: {error}"
        problems.append(Problem(sentence, "invalid_field_value", param))
    except (ValueError, OverflowError):
        form = _TIME if end is None else _DATE_OR_TIME
        problems.append(Problem(f"{param} must be {form}{hint}", "invalid_field_value", param))
    return None


def require_moment(param: str, text: str, zone: str, *, end: bool | None = None) -> datetime:
    """Return the instant of a time, read as by `read_moment`. Raises InvalidRequest."""
    problems: list[Problem] = []
    time = read_moment(param, text, zone, problems, end=end)
    if time is None:
        raise InvalidRequest(problems)
    return time.instant


def now_ms() -> datetime:
    """Return the time to the millisecond, which is what answers show: a filter by what was read must find the post."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
