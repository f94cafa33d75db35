"""Rules that are refused, RRULE text that is read and written, and the dates of rules."""

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

import pytest
from dateutil import rrule
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.recurrence.expansion import recurring_dates
from domain.recurrence.rule import (
    DayRule,
    Frequency,
    MissingDay,
    MissingSkipFault,
    Recurrence,
    RecurrenceFault,
    Weekday,
    check_rule,
    read_rrule,
    write_rrule,
)
from tests.cpu import cpu_seconds

_FIRST_MONDAY = (DayRule(day=Weekday.MO, nth_of_period=1),)


def _dates(start: str, most: int, **fields: Any) -> list[str]:
    rule = Recurrence(**fields)
    return [str(day) for day in islice(recurring_dates(rule, date.fromisoformat(start), date(2040, 1, 1)), most)]


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
    assert cpu_seconds(lambda: _dates("2026-01-01", 1, **fields)) < 0.1
    assert _dates("2026-01-01", 1, **fields) == []


def test_weekdays_with_and_without_a_number_are_both_in() -> None:
    days = (DayRule(day=Weekday.MO), DayRule(day=Weekday.FR, nth_of_period=1))
    assert _dates("2026-05-01", 4, frequency="monthly", by_day=days) == [
        *("2026-05-01", "2026-05-04", "2026-05-11", "2026-05-18")
    ]


def _numbers(most: int) -> st.SearchStrategy[tuple[int, ...]]:
    numbers = st.integers(1, most) | st.integers(-most, -1)
    return st.just(()) | st.lists(numbers, min_size=1, max_size=6).map(tuple)


_MONTHS = st.just(()) | st.lists(st.integers(1, 12), min_size=1, max_size=5).map(tuple)
_PLAIN = st.lists(st.builds(DayRule, day=st.sampled_from(Weekday)), max_size=7).map(tuple)
_NTH = st.lists(
    st.builds(DayRule, day=st.sampled_from(Weekday), nth_of_period=st.sampled_from([1, 2, 5, -1, -5, 20, -53])),
    max_size=4,
).map(tuple)
_RULES = st.builds(
    Recurrence,
    frequency=st.sampled_from(Frequency),
    interval=st.sampled_from([1, 1, 2, 3, 12, 400]),
    by_day=_PLAIN | _NTH,
    by_month_day=_numbers(31),
    by_month=_MONTHS,
    by_set_position=_numbers(40),
    first_day_of_week=st.sampled_from(Weekday),
    skip=st.sampled_from([None, MissingDay.OMIT]),
)


@given(_RULES, st.dates(date(2023, 1, 1), date(2029, 1, 1)))
def test_dates_are_those_of_another_library(rule: Recurrence, start: date) -> None:
    try:
        check_rule(rule, datetime.combine(start, time()))
    except RecurrenceFault:
        assume(False)
    end = start + timedelta(days=9 * 365)
    days = [rrule.weekday(list(Weekday).index(day.day), day.nth_of_period) for day in rule.by_day]
    other = rrule.rrule(
        ["yearly", "monthly", "weekly", "daily"].index(rule.frequency),  # type: ignore[arg-type]
        datetime.combine(start, time()),
        rule.interval,
        wkst=list(Weekday).index(rule.first_day_of_week),
        bymonth=rule.by_month or None,
        bymonthday=rule.by_month_day or None,
        byweekday=days or None,
        bysetpos=rule.by_set_position or None,
        # Without an end it searches until the year 9999, also for a rule that has no date.
        until=datetime.combine(end, time()),
    )
    dates = list(recurring_dates(rule, start, end))
    assert dates == [moment.date() for moment in islice(other, len(dates) + 1) if moment.date() < end]


@given(_RULES, st.dates(date(2023, 1, 1), date(2029, 1, 1)))
def test_no_period_has_a_position_beyond_the_refused_ones(rule: Recurrence, start: date) -> None:
    whole = rule.model_copy(update={"by_set_position": (), "interval": 1, "skip": MissingDay.OMIT})
    try:
        check_rule(whole, datetime.combine(start, time()))
    except RecurrenceFault:
        assume(False)
    assume(rule.frequency.has_month_days and (rule.by_day or rule.by_month_day))
    first = start.replace(month=1, day=1)
    periods: dict[str, int] = {}
    for day in recurring_dates(whole, first, first + timedelta(days=9 * 365)):
        period = f"{day:%Y-%m}" if rule.frequency is Frequency.MONTHLY else f"{day:%Y}"
        periods[period] = periods.get(period, 0) + 1
    last = max(periods.values(), default=1)
    check_rule(whole.model_copy(update={"by_set_position": (last, -last)}), datetime.combine(start, time()))


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({"frequency": "monthly", "by_day": [{"day": day} for day in Weekday]}, 31),
        ({"frequency": "monthly", "by_day": [{"day": "mo"}]}, 5),
        ({"frequency": "monthly", "by_day": [{"day": "mo", "nth_of_period": 1}, {"day": "tu"}]}, 6),
        ({"frequency": "monthly", "by_day": [{"day": "mo"}], "by_month": [2]}, 5),
        ({"frequency": "monthly", "by_month_day": [1, 1, 15]}, 2),
        ({"frequency": "yearly", "by_day": [{"day": day} for day in Weekday]}, 366),
        ({"frequency": "yearly", "by_day": [{"day": "mo"}]}, 53),
        ({"frequency": "yearly", "by_month_day": [1, -1], "by_day": [{"day": "mo"}]}, 24),
        ({"frequency": "yearly", "by_month": [2, 2], "by_month_day": [1, 30], "skip": "omit"}, 1),
    ],
)
def test_a_position_that_no_period_has_is_refused(fields: dict[str, Any], most: int) -> None:
    start = datetime(2026, 1, 1)  # noqa: DTZ001 a wall time
    check_rule(Recurrence(**fields, by_set_position=(1, -most)), start)
    for position in (most + 1, -most - 1):
        with pytest.raises(RecurrenceFault, match=f"more than {most}|from 1 to 366") as refused:
            check_rule(Recurrence(**fields, by_set_position=(1, position)), start)
        assert refused.value.part == "bySetPosition"


_START = datetime.fromisoformat("2026-03-02T09:15:00")
_ZONE = "Europe/Berlin"


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"frequency": "daily", "interval": 401}, "interval"),
        ({"frequency": "daily", "interval": 0}, "interval"),
        ({"frequency": "daily", "count": 0}, "count"),
        ({"frequency": "daily", "count": 3, "until": "2026-12-24T00:00:00"}, "until"),
        ({"frequency": "daily", "by_month": [13]}, "byMonth"),
        ({"frequency": "monthly", "by_month_day": [0]}, "byMonthDay"),
        ({"frequency": "weekly", "by_month_day": [3]}, "byMonthDay"),
        ({"frequency": "weekly", "by_day": [{"day": "mo", "nth_of_period": 1}]}, "byDay"),
        ({"frequency": "monthly", "by_day": [{"day": "mo", "nth_of_period": 6}]}, "byDay"),
        ({"frequency": "weekly", "by_set_position": [1]}, "bySetPosition"),
        ({"frequency": "weekly", "skip": "omit"}, "skip"),
        ({"frequency": "monthly", "by_day": [{"day": "mo"}], "skip": "backward"}, "skip"),
        ({"frequency": "monthly", "by_month_day": [-30], "skip": "backward"}, "skip"),
        ({"frequency": "daily", "times": [f"00:{minute:02}" for minute in range(25)]}, "times"),
    ],
)  # fmt: skip
def test_part_that_a_rule_cannot_have_is_named(fields: dict[str, Any], part: str) -> None:
    with pytest.raises(RecurrenceFault) as refusal:
        check_rule(Recurrence.model_validate(fields), _START)
    assert refusal.value.part == part


@pytest.mark.parametrize(
    ("start", "fields"),
    [
        ("2026-01-31", {"frequency": "monthly"}),
        ("2026-01-29", {"frequency": "monthly"}),
        ("2028-02-29", {"frequency": "yearly"}),
        ("2026-01-01", {"frequency": "monthly", "by_month_day": [-30]}),
    ],
)
def test_day_that_a_month_may_lack_needs_skip(start: str, fields: dict[str, Any]) -> None:
    with pytest.raises(MissingSkipFault):
        check_rule(Recurrence.model_validate(fields), datetime.fromisoformat(start))
    for skip in ("omit", "backward") if "by_month_day" not in fields else ("omit",):
        check_rule(Recurrence.model_validate(fields | {"skip": skip}), datetime.fromisoformat(start))


@pytest.mark.parametrize(
    ("start", "fields"),
    [
        ("2026-01-28", {"frequency": "monthly"}),
        ("2026-12-31", {"frequency": "yearly"}),
        ("2026-01-31", {"frequency": "monthly", "by_month": [1, 3, 5]}),
        ("2026-01-31", {"frequency": "daily"}),
        ("2026-01-31", {"frequency": "monthly", "by_day": [{"day": "fr", "nth_of_period": -1}]}),
        ("2026-01-31", {"frequency": "monthly", "by_month_day": [-1]}),
    ],
)
def test_day_that_every_month_of_the_rule_has_needs_no_skip(start: str, fields: dict[str, Any]) -> None:
    check_rule(Recurrence.model_validate(fields), datetime.fromisoformat(start))


def test_rrule_is_read() -> None:
    rule = read_rrule("RRULE:FREQ=MONTHLY;INTERVAL=2;BYDAY=MO,-1FR;BYHOUR=9,17;UNTIL=20261224T080000Z", _START, _ZONE)
    assert rule == Recurrence(
        frequency=Frequency.MONTHLY,
        interval=2,
        by_day=(DayRule(day=Weekday.MO), DayRule(day=Weekday.FR, nth_of_period=-1)),
        times=(time(9, 15), time(17, 15)),
        until=datetime.fromisoformat("2026-12-24T09:00:00"),
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("FREQ=HOURLY", "FREQ"),
        ("INTERVAL=2", "FREQ"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ"),
        ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO"),
        ("FREQ=MONTHLY;SKIP=FORWARD", "SKIP"),
        ("FREQ=MONTHLY;RSCALE=CHINESE", "RSCALE"),
        ("FREQ=DAILY;BYHOUR=25", "BYHOUR"),
        ("FREQ=DAILY;UNTIL=20261301", "UNTIL"),
        ("FREQ=DAILY;UNTIL=99991231T235959Z", "UNTIL"),
        ("FREQ=DAILY;INTERVAL=x", "INTERVAL"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1;BYHOUR=9,10", "BYSETPOS"),
        ("", ""),
        (";;;", ""),
        ("every day", "EVERY DAY"),
    ],
)
def test_rrule_that_is_not_supported_names_its_part(text: str, part: str) -> None:
    with pytest.raises(RecurrenceFault) as refusal:
        read_rrule(text, _START, "Pacific/Kiritimati")
    assert refusal.value.part == part


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(RecurrenceFault):
        check_rule(read_rrule(text, _START, _ZONE), _START)


_NUMBERS = st.sets(st.integers(1, 28), max_size=3).map(lambda numbers: tuple(sorted(numbers)))
_DAY_RULES = st.builds(DayRule, day=st.sampled_from(Weekday), nth_of_period=st.none() | st.integers(-5, -1))


@given(
    st.builds(
        Recurrence,
        frequency=st.sampled_from(Frequency),
        interval=st.integers(1, 400),
        by_day=st.lists(_DAY_RULES, max_size=3).map(tuple),
        by_month_day=_NUMBERS,
        by_set_position=_NUMBERS,
        first_day_of_week=st.sampled_from(Weekday),
        count=st.none() | st.integers(1, 100),
        skip=st.none() | st.sampled_from(MissingDay),
        times=st.sets(st.times(), max_size=1).map(lambda at: tuple(t.replace(second=0, microsecond=0) for t in at)),
    )
)
def test_rule_that_is_written_is_read_as_the_same(rule: Recurrence) -> None:
    text = write_rrule(rule, _START, _ZONE)
    assert text is not None
    assert read_rrule(text, _START, _ZONE) == rule


def test_until_is_written_in_utc() -> None:
    rule = Recurrence(frequency=Frequency.DAILY, until=datetime.fromisoformat("2026-07-01T09:15:00"))
    assert write_rrule(rule, _START, _ZONE) == "FREQ=DAILY;UNTIL=20260701T071500Z"


def test_times_that_no_rrule_can_say_are_not_written() -> None:
    rule = Recurrence(frequency=Frequency.DAILY, times=(time(9), time(17, 30)))
    assert write_rrule(rule, _START, _ZONE) is None
