"""Occurrences: their instants at clock changes, windows, segments, and what has no post."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whenever import PlainDateTime, clear_tzcache, reset_tzpath

from domain.recurrence.expansion import Pattern, RuleSkip, Segment, expand, recurring_dates
from domain.recurrence.rule import DayRule, Frequency, MissingDay, Recurrence, Weekday
from domain.schedule import zone_names

_CLOCKS = (time(0), time(0, 30), time(2, 30), time(3, 30), time(23, 30))
_BERLIN, _NEW_YORK = "Europe/Berlin", "America/New_York"


def _wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _pattern(start: str, rule: Recurrence, zone: str = _BERLIN, **walls: frozenset[datetime]) -> Pattern[Segment]:
    return Pattern([Segment(since=_wall(start), timezone=zone, start=_wall(start), recurrence=rule)], **walls)


def _changes(zone: str, year: int) -> list[date]:
    """Return the days of a year until whose noon the offset has changed since the noon before."""
    days = [datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(366)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return [day.date() for day, offset, before in zip(days[1:], offsets[1:], offsets, strict=False) if offset != before]


def _changing_zones() -> list[str]:
    return [zone for zone in sorted(zone_names()) if _changes(zone, 2026)]


def _oracle(wall: datetime, zone: str) -> datetime:
    parts = (wall.year, wall.month, wall.day, wall.hour, wall.minute, wall.second)
    instant = PlainDateTime(*parts).assume_tz(zone, disambiguation="compatible").to_instant()
    return datetime.fromtimestamp(instant.timestamp(), UTC)


def test_instants_are_those_of_another_library_at_every_clock_change(thorough: bool) -> None:
    # The oracle must read the same database of zones, not the machine's.
    reset_tzpath(zoneinfo.TZPATH)
    clear_tzcache()
    zones = _changing_zones()
    assert len(zones) > 150
    for zone in zones if thorough else [*zones[::12], "Australia/Lord_Howe", "Africa/Casablanca"]:
        for change in _changes(zone, 2026):
            for frequency in Frequency:
                start = datetime.combine(change - timedelta(days=2 if frequency is Frequency.DAILY else 0), _CLOCKS[0])
                rule = Recurrence(frequency=frequency, times=_CLOCKS, skip=_skip(frequency), interval=1)
                window = Pattern([Segment(since=start, timezone=zone, start=start, recurrence=rule)])
                # The rule's dates around the change, then those of its later periods.
                for occurrence in islice(expand(window, start, start + timedelta(days=1100)), 30):
                    expected = _oracle(occurrence.wall, zone)
                    assert occurrence.instant == expected, (zone, occurrence)
                    local = expected.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
                    assert occurrence.moved_by_clock_change == (local != occurrence.wall)


def _skip(frequency: Frequency) -> MissingDay | None:
    return MissingDay.BACKWARD if frequency in {Frequency.MONTHLY, Frequency.YEARLY} else None


def test_later_of_two_wall_times_at_one_instant_is_skipped() -> None:
    rule = Recurrence(frequency=Frequency.DAILY, times=(time(2, 30), time(3, 30)))
    pattern = _pattern("2026-03-07T02:30:00", rule, _NEW_YORK)
    occurrences = list(expand(pattern, _wall("2026-03-08T00:00:00"), _wall("2026-03-09T00:00:00")))
    assert [(at.wall.time(), at.skip, at.moved_by_clock_change) for at in occurrences] == [
        (time(2, 30), None, True),
        (time(3, 30), RuleSkip.SAME_INSTANT, False),
    ]


def test_window_that_begins_between_two_wall_times_of_one_instant_skips_the_later_too() -> None:
    rule = Recurrence(frequency=Frequency.DAILY, times=(time(2, 30), time(3, 30)))
    pattern = _pattern("2026-03-07T02:30:00", rule, _NEW_YORK)
    (later,) = expand(pattern, _wall("2026-03-08T03:00:00"), _wall("2026-03-09T00:00:00"))
    assert later.skip is RuleSkip.SAME_INSTANT


def test_wall_time_that_is_excluded_does_not_make_another_skipped() -> None:
    rule = Recurrence(frequency=Frequency.DAILY, times=(time(2, 30), time(3, 30)))
    excluded = frozenset({_wall("2026-03-08T02:30:00")})
    pattern = _pattern("2026-03-07T02:30:00", rule, _NEW_YORK, exclude=excluded)
    day = list(expand(pattern, _wall("2026-03-08T00:00:00"), _wall("2026-03-09T00:00:00")))
    assert [at.skip for at in day] == [RuleSkip.EXCLUDED, None]


def test_skipped_day_of_samoa_is_one_instant_with_the_next() -> None:
    pattern = _pattern("2011-12-28T09:00:00", Recurrence(frequency=Frequency.DAILY), "Pacific/Apia")
    occurrences = list(expand(pattern, _wall("2011-12-29T00:00:00"), _wall("2012-01-01T00:00:00")))
    assert [(at.wall.day, at.skip) for at in occurrences] == [(29, None), (30, None), (31, RuleSkip.SAME_INSTANT)]


def test_count_and_until_end_a_rule() -> None:
    counted = Recurrence(frequency=Frequency.DAILY, times=(time(9), time(17)), count=3)
    until = Recurrence(frequency=Frequency.DAILY, until=_wall("2026-03-03T10:00:00"))
    end = _wall("2027-01-01T00:00:00")
    # The first day begins after its first time.
    walls = [at.key for at in expand(_pattern("2026-03-01T10:00:00", counted), _wall("2026-03-01T00:00:00"), end)]
    assert walls == ["2026-03-01T17:00:00", "2026-03-02T09:00:00", "2026-03-02T17:00:00"]
    # `until` is included.
    assert len(list(expand(_pattern("2026-03-01T10:00:00", until), _wall("2026-03-01T00:00:00"), end))) == 3


def test_included_wall_times_are_in_order_and_not_counted() -> None:
    rule = Recurrence(frequency=Frequency.WEEKLY, count=2)
    included = frozenset({_wall("2026-03-04T12:00:00"), _wall("2026-03-09T09:00:00"), _wall("2026-05-01T09:00:00")})
    pattern = _pattern("2026-03-02T09:00:00", rule, include=included)
    walls = [at.key for at in expand(pattern, _wall("2026-03-01T00:00:00"), _wall("2027-01-01T00:00:00"))]
    assert walls == ["2026-03-02T09:00:00", "2026-03-04T12:00:00", "2026-03-09T09:00:00", "2026-05-01T09:00:00"]


def test_rule_that_never_comes_has_no_next_occurrence() -> None:
    rule = Recurrence(frequency=Frequency.YEARLY, by_month=(2,), by_month_day=(30,), skip=MissingDay.OMIT)
    occurrences = expand(
        _pattern("2026-01-01T09:00:00", rule), _wall("2026-01-01T00:00:00"), _wall("2031-01-01T00:00:00")
    )
    assert list(occurrences) == []


def test_segment_ends_where_the_next_begins() -> None:
    mondays = Recurrence(frequency=Frequency.WEEKLY, by_day=(DayRule(day=Weekday.MO),))
    tuesdays = Recurrence(frequency=Frequency.WEEKLY, by_day=(DayRule(day=Weekday.TU),))
    start, change = _wall("2026-03-02T09:00:00"), _wall("2026-03-16T00:00:00")
    pattern = Pattern(
        [
            Segment(since=start, timezone=_BERLIN, start=start, recurrence=mondays),
            Segment(since=change, timezone=_BERLIN, start=start, recurrence=tuesdays),
        ]
    )
    days = [at.wall.day for at in islice(expand(pattern, start, _wall("2027-01-01T00:00:00")), 4)]
    assert days == [2, 9, 17, 24]


def _rules() -> st.SearchStrategy[Recurrence]:
    return st.builds(
        Recurrence,
        frequency=st.sampled_from(Frequency),
        interval=st.integers(1, 5),
        by_month=st.sets(st.integers(1, 12), max_size=3).map(lambda months: tuple(sorted(months))),
        times=st.sets(st.times().map(lambda at: at.replace(microsecond=0)), max_size=4).map(tuple),
        count=st.none() | st.integers(1, 60),
        skip=st.just(MissingDay.OMIT),
    )


_STARTS = st.datetimes(_wall("2024-01-01T00:00:00"), _wall("2027-01-01T00:00:00")).map(
    lambda at: at.replace(microsecond=0)
)
_DAYS = st.integers(0, 800).map(lambda days: timedelta(hours=days * 11))
_ZONES = st.sampled_from([_BERLIN, _NEW_YORK, "Australia/Lord_Howe", "America/Santiago", "UTC"])


@given(_rules(), _STARTS, _ZONES, st.tuples(_DAYS, _DAYS, _DAYS).map(sorted))
def test_windows_that_meet_are_one_window(
    rule: Recurrence, start: datetime, zone: str, bounds: list[timedelta]
) -> None:
    pattern = _pattern(start.isoformat(), rule, zone, include=frozenset({start + timedelta(days=1)}))
    first, middle, end = (start + bound for bound in bounds)
    assert [*expand(pattern, first, middle), *expand(pattern, middle, end)] == list(expand(pattern, first, end))


@given(_rules(), _STARTS, _DAYS)
def test_edit_and_edit_back_have_the_same_keys(rule: Recurrence, start: datetime, after: timedelta) -> None:
    end, change = start + timedelta(days=400), start + after

    def keys(pattern: Pattern[Segment]) -> Iterator[str]:
        return (occurrence.key for occurrence in expand(pattern, start, end))

    before = _pattern(start.isoformat(), rule)
    earlier = [segment for segment in before.segments if segment.since < change]
    # The edit back leaves a cut between two segments with equal rules.
    back = Pattern([*earlier, Segment(since=change, timezone=_BERLIN, start=start, recurrence=rule)])
    assert list(keys(back)) == list(keys(before))


@pytest.mark.parametrize("frequency", list(Frequency))
def test_dates_are_found_at_once_for_ten_years(frequency: Frequency) -> None:
    rule = Recurrence(frequency=frequency, skip=_skip(frequency))
    dates = list(islice(recurring_dates(rule, date(2024, 2, 29), date(2034, 3, 1)), 10))
    assert dates == sorted(set(dates))
    assert len(dates) == 10
