"""The dates of rules: short months, weekdays of a month, sets, and rules that have no date."""

import time
from datetime import date
from itertools import islice
from typing import Any

import pytest

from domain.recurrence.dates import recurring_dates
from domain.recurrence.rule import DayRule, Frequency, MissingDay, Recurrence, Weekday

_FIRST_MONDAY = (DayRule(day=Weekday.MO, nth_of_period=1),)


def _dates(start: str, most: int, **fields: Any) -> list[str]:
    rule = Recurrence(**fields)
    return [str(day) for day in islice(recurring_dates(rule, date.fromisoformat(start)), most)]


@pytest.mark.parametrize(
    ("start", "fields", "expected"),
    [
        ("2026-03-01", {"frequency": "daily", "interval": 3}, ["2026-03-01", "2026-03-04", "2026-03-07"]),
        ("2026-03-04", {"frequency": "weekly", "by_day": [{"day": "mo"}]}, ["2026-03-09", "2026-03-16", "2026-03-23"]),
        ("2026-01-31", {"frequency": "monthly", "skip": "omit"}, ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("2026-01-31", {"frequency": "monthly", "skip": "backward"}, ["2026-01-31", "2026-02-28", "2026-03-31"]),
        (
            "2026-02-01",
            {"frequency": "monthly", "by_month_day": [15, 30, 31], "skip": "backward"},
            ["2026-02-15", "2026-02-28", "2026-03-15", "2026-03-30", "2026-03-31"],
        ),
        ("2028-02-29", {"frequency": "yearly", "skip": "omit"}, ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("2028-02-29", {"frequency": "yearly", "skip": "backward"}, ["2028-02-29", "2029-02-28", "2030-02-28"]),
        (
            "2026-01-01",
            {"frequency": "yearly", "by_month": [2, 4], "by_month_day": [31], "skip": "backward"},
            ["2026-02-28", "2026-04-30", "2027-02-28", "2027-04-30"],
        ),
        (
            "2026-01-01",
            {"frequency": "monthly", "by_day": [{"day": "fr", "nth_of_period": -1}]},
            ["2026-01-30", "2026-02-27", "2026-03-27"],
        ),
        (
            "2026-01-01",
            {"frequency": "monthly", "by_day": [{"day": d} for d in ("mo", "tu", "we", "th", "fr")],
             "by_set_position": [-1]},
            ["2026-01-30", "2026-02-27", "2026-03-31"],
        ),
    ],
)  # fmt: skip
def test_dates_are_those_of_the_rule(start: str, fields: dict[str, Any], expected: list[str]) -> None:
    assert _dates(start, len(expected), **fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"frequency": "daily", "by_month": [2], "by_month_day": [30]},
        {"frequency": "weekly", "by_month": [2], "by_day": [{"day": "mo"}], "by_month_day": [30]},
        {"frequency": "monthly", "by_day": _FIRST_MONDAY, "by_month_day": [9]},
        {"frequency": "yearly", "by_month": [2], "by_month_day": [30]},
        {"frequency": "daily", "interval": 7, "by_day": [{"day": "mo"}], "by_month": [2]},
        {"frequency": "yearly", "by_day": _FIRST_MONDAY, "by_month_day": [20]},
    ],
    ids=lambda fields: fields["frequency"],
)
def test_rule_without_a_date_ends_soon(fields: dict[str, Any]) -> None:
    before = time.process_time()
    assert _dates("2026-01-01", 1, **fields) == []
    assert time.process_time() - before < 0.2


def test_dates_are_the_same_in_every_cycle_of_the_calendar() -> None:
    # The start is moved by 400 years or a multiple, so the last days of a cycle are like those of the next.
    rule = Recurrence(frequency=Frequency.MONTHLY, skip=MissingDay.BACKWARD)
    dates = list(islice(recurring_dates(rule, date(2027, 8, 31)), 24))
    assert [day.month for day in dates] == [*range(8, 13), *range(1, 13), *range(1, 8)]
    assert date(2028, 2, 29) in dates
    assert dates[0] == date(2027, 8, 31)
