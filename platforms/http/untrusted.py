"""Functions that read numbers and times of responses within bounds, because a server may send anything.

Only `moment` raises if it cannot read the value; such an error ends the step (`platforms.errors`).
"""

import math
import re
from datetime import UTC, datetime, timedelta

import httpx

from domain.request_limits import Quota

LONGEST_WAIT = timedelta(days=1)
"""The longest limit of any platform here. If a server asks for a longer wait, the wait is this."""
MOST = 1_000_000
"""Posts that an account may make within a day. A larger number means no more, and does not fit every column."""

_NUMBER = re.compile(r"\s*-?[0-9]{1,20}(\.[0-9]{0,20})?\s*", re.ASCII)
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def number(value: object) -> float | None:
    """Return a number, even if it is written as text; None if it is none, or has more than 20 digits."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 10**20:
        return None
    return float(value)


def count(value: object, most: int = MOST) -> int | None:
    """Return a count from 0 to `most`; None if the value is none."""
    parsed = number(value)
    return None if parsed is None else int(min(max(parsed, 0), most))


def wait(value: object, *, unit: timedelta = timedelta(seconds=1)) -> timedelta | None:
    """Return how long to wait, up to LONGEST_WAIT; None if `value` is no number."""
    parsed = number(value)
    if parsed is None:
        return None
    return unit * min(max(parsed, 0), LONGEST_WAIT / unit)


def wait_until(value: object) -> timedelta | None:
    """Return how long to wait until a time in Unix seconds or ISO 8601; None if the value is none."""
    try:
        until = moment(value)
    except ValueError:
        return None
    return min(max(until - datetime.now(UTC), timedelta(0)), LONGEST_WAIT)


def moment(value: object, *, per_second: int = 1) -> datetime:
    """Return a time in UTC, given in Unix seconds (or parts of them) or in ISO 8601. Raises ValueError."""
    if (parsed := number(value)) is not None:
        seconds = parsed / per_second
        if not math.isfinite(seconds) or not _FIRST.timestamp() <= seconds <= _LAST.timestamp():
            raise ValueError("no time of our days")
        return datetime.fromtimestamp(seconds, UTC)
    read = datetime.fromisoformat(str(value))
    # Years at either end of the calendar cannot be converted to another time zone.
    if not _FIRST.year <= read.year <= _LAST.year:
        raise ValueError("no time of our days")
    return read.replace(tzinfo=read.tzinfo or UTC).astimezone(UTC)


def quota_from_headers(
    response: httpx.Response, remaining: str, resets_in: timedelta | None, *, cost: int = 1
) -> Quota | None:
    """Return the quota by the header `remaining`, in posts of this `cost`; None if it or the time is missing.

    A reported quota is better than any number of ours. Numbers may have decimals (Reddit's do). A reset in the past
    counts as now.
    """
    reported = count(response.headers.get(remaining))
    if reported is None or resets_in is None:
        return None
    return Quota(reported // cost, datetime.now(UTC) + max(min(resets_in, LONGEST_WAIT), timedelta(0)))
