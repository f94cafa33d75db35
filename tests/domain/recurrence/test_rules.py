"""Rules that are refused, and RRULE text that is read and written."""

from contextlib import suppress
from datetime import datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
