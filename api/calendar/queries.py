"""The query of a calendar: its days, the zone in which they begin, and the conditions of its posts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from api.http.headers import HttpRequest
from api.http.query import convert_parameter, parse_flag, parse_lists
from api.posts.filters import ZONE, parse_zone, read_filter
from api.posts.listing import split_statuses
from domain.errors import InvalidRequest, Problem
from domain.schedule import NoSuchTime, day_beginning, parse_date
from store.posts.list_filters import Filter

MOST_DAYS = 62
"""Days of one answer: two months."""
PLANS = "plans"
"""The parameter that asks for what a calendar shows beside posts."""
FULL = "full"


@dataclass(frozen=True, slots=True)
class CalendarQuery:
    """A request for a calendar."""

    conditions: Filter
    zone: str
    days: Sequence[date]
    beginnings: Sequence[datetime]
    """When each day begins in the zone, and when the last one ends."""
    has_plans: bool
    """Whether free slots, occurrences without posts and blackouts are asked for."""
    is_full: bool
    """Whether one day is asked for with more posts than are shown of a day among others."""


def read_calendar_query(request: HttpRequest) -> CalendarQuery:
    """Return which days of which posts are asked for. Raises InvalidRequest with every problem."""
    lists, query_problems = parse_lists(request)
    problems: list[Problem] = []
    conditions = read_filter(split_statuses(lists), problems)
    query = {name: values[0] for name, values in lists.items()}
    first, last = (convert_parameter(query, problems, name, _read_date) for name in ("from", "to"))
    has_plans, is_full = (convert_parameter(query, problems, name, parse_flag) for name in (PLANS, FULL))
    if is_full and first != last:
        problems.append(Problem("full is for one day: the same from and to", "invalid_field_value", FULL))
    problems += [
        Problem(f"{name} is required", "missing_required_field", name) for name in ("from", "to") if name not in query
    ]
    if problems or query_problems or first is None or last is None:
        raise InvalidRequest([*problems, *query_problems])
    zone = query.get(ZONE, "UTC")
    days, beginnings = _cut_days(first, last, zone)
    return CalendarQuery(conditions, zone, days, beginnings, bool(has_plans), bool(is_full))


def read_zone(text: str) -> str:
    """Return the name of a time zone. Raises ValueError."""
    parse_zone(text)
    return text


def _cut_days(first: date, last: date, zone: str) -> tuple[list[date], list[datetime]]:
    """Return the days from the first to the last, and their beginnings with the end. Raises InvalidRequest."""
    if first > last:
        raise InvalidRequest(Problem("from is after to", "invalid_field_value", "from"))
    if (last - first).days >= MOST_DAYS:
        raise InvalidRequest(Problem(f"from and to may be at most {MOST_DAYS} days", "invalid_field_value", "to"))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    begin = partial(day_beginning, zone=parse_zone(zone))
    try:
        return days, [*map(begin, days), begin(last + timedelta(days=1))]
    except OverflowError:
        raise InvalidRequest(Problem("to is out of range", "invalid_field_value", "to")) from None


def _read_date(text: str) -> date:
    try:
        return parse_date(text)
    except NoSuchTime as error:
        raise ValueError(f"names a day that does not exist: {error}") from None
    except ValueError:
        raise ValueError("must be an ISO 8601 date such as 2026-01-31") from None
