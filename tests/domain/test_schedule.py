"""Times as clients write them: offsets, wall times, clock changes, bounds."""

import contextlib
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.schedule import (
    NoSuchTime,
    ScheduledTime,
    UnknownZone,
    day_beginning,
    horizon,
    local_time,
    parse_bound,
    parse_date,
    parse_date_time,
    parse_shift,
    resolve,
    rfc3339,
    shifted,
    zone_names,
)

zones = st.sampled_from(sorted(zone_names()))
# Naive on purpose: a wall time has no offset.
_FIRST, _LAST = datetime.min.replace(year=1990), datetime.min.replace(year=2060)  # noqa: DTZ901
walls = st.datetimes(min_value=_FIRST, max_value=_LAST)
instants = st.datetimes(min_value=_FIRST, max_value=_LAST, timezones=st.just(UTC))
milliseconds = instants.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))


class TestWallTimes:
    @given(walls, zones)
    def test_follow_the_rules_for_gaps_and_folds(self, wall: datetime, zone: str) -> None:
        """RFC 5545, section 3.3.5, implemented a second time: by reading what the clocks show."""
        info = ZoneInfo(zone)
        instant = resolve(wall.isoformat(), zone).instant
        shown = instant.astimezone(info).replace(tzinfo=None)
        if shown == wall:
            # The wall time exists; up to a day before, the clocks did not show it, so this is its first occurrence.
            for hours in (0.5, 1, 2, 3, 24):
                earlier = (instant - timedelta(hours=hours)).astimezone(info).replace(tzinfo=None)
                assert earlier != wall
        else:
            # The wall time was skipped: the clocks show it moved forward by exactly the gap.
            gap = shown - wall
            assert gap > timedelta(0)
            before = (instant - gap).astimezone(info).utcoffset()
            after = instant.astimezone(info).utcoffset()
            assert before is not None
            assert after is not None
            assert after - before == gap

    @given(instants, zones)
    def test_survive_the_round_trip(self, instant: datetime, zone: str) -> None:
        local = instant.astimezone(ZoneInfo(zone))
        assume(local.fold == 0)
        assert resolve(local.replace(tzinfo=None).isoformat(), zone).instant == instant

    @given(walls, zones, zones)
    def test_move_with_their_zone_and_come_back(self, wall: datetime, zone: str, other: str) -> None:
        schedule = resolve(wall.isoformat(), zone)
        assert schedule.in_zone(other) == resolve(wall.isoformat(), other)
        assert schedule.in_zone(other).in_zone(zone) == schedule

    @pytest.mark.parametrize(
        ("wall", "zone", "instant"),
        [
            ("2027-03-14T02:30:00", "America/New_York", "2027-03-14T07:30:00Z"),
            ("2027-11-07T01:30:00", "America/New_York", "2027-11-07T05:30:00Z"),
            ("2027-03-28T02:30", "Europe/Berlin", "2027-03-28T01:30:00Z"),
            ("2027-10-31T02:30", "Europe/Berlin", "2027-10-31T00:30:00Z"),
            ("2027-10-03T02:15", "Australia/Lord_Howe", "2027-10-02T15:45:00Z"),
            ("2011-12-30T12:00", "Pacific/Apia", "2011-12-30T22:00:00Z"),
        ],
    )
    def test_known_clock_changes(self, wall: str, zone: str, instant: str) -> None:
        assert rfc3339(resolve(wall, zone).instant) == instant


class TestInstants:
    @given(instants, st.integers(min_value=-14 * 60, max_value=14 * 60), zones)
    def test_stay_whatever_the_zone(self, instant: datetime, minutes: int, zone: str) -> None:
        sign = "-" if minutes < 0 else "+"
        offset = timedelta(minutes=minutes)
        text = (
            f"{(instant + offset).replace(tzinfo=None).isoformat()}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
        )
        schedule = resolve(text, zone)
        assert schedule == ScheduledTime(instant, None, zone)
        assert schedule.in_zone("Asia/Tokyo").instant == instant

    @given(milliseconds)
    def test_are_written_so_that_they_read_the_same(self, instant: datetime) -> None:
        text = rfc3339(instant)
        assert text.endswith("Z")
        assert parse_date_time(text) == instant
        assert parse_bound(text, end=True) == parse_bound(text, end=False) == instant

    @given(instants, zones)
    def test_are_written_to_the_millisecond_if_they_have_a_fraction(self, instant: datetime, zone: str) -> None:
        timespec = "milliseconds" if instant.microsecond else "seconds"
        local = instant.astimezone(ZoneInfo(zone))
        assert rfc3339(local) == instant.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"
        assert local_time(instant, zone) == local.replace(tzinfo=None).isoformat(timespec=timespec)
        assert local_time(local, "UTC") == rfc3339(instant)[:-1]

    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("2026-02-01T14:00:00Z", "2026-02-01T14:00:00Z"),
            ("2026-02-01t14:00:00z", "2026-02-01T14:00:00Z"),
            ("2026-02-01 14:00+0530", "2026-02-01T08:30:00Z"),
            ("2026-02-01T14:00:00-08", "2026-02-01T22:00:00Z"),
            ("2026-02-01T14:00:00,5Z", "2026-02-01T14:00:00.500Z"),
            ("2026-02-01T14:00:00.123456789Z", "2026-02-01T14:00:00.123Z"),
        ],
    )
    def test_iso_8601_in_its_usual_forms(self, text: str, instant: str) -> None:
        assert rfc3339(resolve(text, "UTC").instant) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "14:00",
        "1767225600",
        "2026-02-01",
        "2026-2-1T14:00Z",
        "2026-02-30T00:00:00Z",
        "2026-02-01T24:00:00Z",
        "2026-02-01T14:60Z",
        "2026-02-01T14:00Z\n",
        "2026-02-01T14:00:00+24:00",
        "٢٠٢٦-02-01T14:00Z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
    ],
)
def test_invalid_times_are_value_errors(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        resolve(text, "UTC")


@given(st.text())
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert resolve(text, "America/New_York").instant.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2027-02-30T09:00", "February 2027 has no day 30"),
        ("2027-02-30", "February 2027 has no day 30"),
        ("2027-02-00T09:00Z", "February 2027 has no day 0"),
        ("2027-13-01T09:00", "there is no month 2027-13"),
        ("0000-01-01T09:00", "there is no month 0000-01"),
        ("2027-02-01T24:00", "there is no time 24:00"),
        ("2027-02-01T23:59:60Z", "there is no time 23:59:60Z"),
        ("2027-02-01T09:00+25:00", "there is no time 09:00+25:00"),
    ],
)
def test_a_time_that_does_not_exist_has_another_message_than_a_wrong_form(text: str, reason: str) -> None:
    with pytest.raises(NoSuchTime) as caught:
        parse_date_time(text)
    assert str(caught.value) == reason
    if "has no day" in reason:
        with pytest.raises(NoSuchTime, match=reason):
            parse_bound(text[:10], end=True)


@pytest.mark.parametrize(
    "text", ["2027-2-30T09:00", "30.02.2027 09:00", "tomorrow", "2027-02-28", "2027-02-3\u0660T09:00"]
)
def test_a_wrong_form_is_not_taken_for_a_time_that_does_not_exist(text: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 8601") as caught:
        parse_date_time(text)
    assert not isinstance(caught.value, NoSuchTime)


class TestBounds:
    @given(st.dates())
    def test_a_bare_date_covers_its_whole_utc_day(self, day: date) -> None:
        start, end = parse_bound(day.isoformat(), end=False), parse_bound(day.isoformat(), end=True)
        assert start == datetime(day.year, day.month, day.day, tzinfo=UTC)
        assert end - start == timedelta(days=1, microseconds=-1)

    def test_a_time_without_an_offset_is_utc(self) -> None:
        assert parse_bound("2026-02-01T14:00", end=True) == datetime(2026, 2, 1, 14, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["", "2026-02-30", "2026-02", "yesterday"])
    def test_anything_else_is_a_value_error(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            parse_bound(text, end=False)


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (datetime(2026, 11, 25, 10, 30, tzinfo=UTC), datetime(2031, 11, 25, 10, 30, tzinfo=UTC)),
        (datetime(2027, 3, 1, tzinfo=UTC), datetime(2032, 3, 1, tzinfo=UTC)),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), datetime(2033, 2, 28, 12, tzinfo=UTC)),
    ],
)
def test_the_horizon_is_five_years_to_the_day(now: datetime, last: datetime) -> None:
    assert horizon(now) == last


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "America", "localtime", "../UTC", "/etc/localtime", "europe/berlin"]
)
def test_invalid_zone_is_unknown(zone: str) -> None:
    with pytest.raises(UnknownZone):
        resolve("2027-01-01T09:00", zone)
    assert resolve("2027-01-01T09:00Z", zone).zone == zone


class TestShifts:
    @given(walls, zones, st.integers(-400, 400).filter(bool))
    def test_days_move_the_wall_time(self, wall: datetime, zone: str, days: int) -> None:
        moved = shifted(resolve(wall.isoformat(), zone), parse_shift(f"{'-' * (days < 0)}P{abs(days)}D"))
        assert moved == resolve((wall + timedelta(days=days)).isoformat(), zone)

    @given(walls, zones, st.integers(-100_000, 100_000).filter(bool))
    def test_minutes_move_the_instant(self, wall: datetime, zone: str, minutes: int) -> None:
        before = resolve(wall.isoformat(), zone)
        moved = shifted(before, parse_shift(f"{'-' * (minutes < 0)}PT{abs(minutes)}M"))
        assert moved.instant == before.instant + timedelta(minutes=minutes)
        assert moved.wall is None or resolve(moved.wall, zone) == moved

    @given(instants, zones, st.integers(1, 400))
    def test_an_instant_stays_one_and_keeps_its_wall_time(self, instant: datetime, zone: str, days: int) -> None:
        moved = shifted(ScheduledTime(instant, None, zone), parse_shift(f"P{days}D"))
        assert moved.wall is None
        expected = (instant.astimezone(ZoneInfo(zone)) + timedelta(days=days)).replace(tzinfo=None)
        assert moved.instant == resolve(expected.isoformat(), zone).instant

    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("P1D", "2029-03-25T07:00:00Z"),
            ("+P1W", "2029-03-31T07:00:00Z"),
            ("-P1D", "2029-03-23T08:00:00Z"),
            ("PT24H", "2029-03-25T08:00:00Z"),
            ("P1DT90M", "2029-03-25T08:30:00Z"),
            ("P1W1DT1H30M", "2029-04-01T08:30:00Z"),
        ],
    )
    def test_over_a_clock_change(self, text: str, instant: str) -> None:
        before = resolve("2029-03-24T09:00:00", "Europe/Berlin")
        assert rfc3339(shifted(before, parse_shift(text)).instant) == instant

    def test_a_skipped_time_is_moved_as_it_was_given(self) -> None:
        assert (
            shifted(resolve("2029-03-25T02:30:00", "Europe/Berlin"), parse_shift("P1D")).wall == "2029-03-26T02:30:00"
        )

    def test_the_second_of_two_equal_hours_is_an_instant(self) -> None:
        moved = shifted(resolve("2029-10-28T02:30:00", "Europe/Berlin"), parse_shift("PT1H"))
        assert (moved.wall, rfc3339(moved.instant)) == (None, "2029-10-28T01:30:00Z")

    @pytest.mark.parametrize(
        "text", ["", "P", "PT", "P1DT", "1D", "P1", "P1Y", "P1M", "P0D", "-PT0M", "P1.5D", "P٣D", "P1D\n", "P99999D"]
    )
    def test_refuses_invalid_shifts(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"duration"):
            parse_shift(text)

    def test_refuses_dates_beyond_the_calendar(self) -> None:
        with pytest.raises(ValueError, match="out of range"):
            shifted(ScheduledTime(datetime(9999, 12, 30, tzinfo=UTC), None, "UTC"), parse_shift("P9999W"))


class TestDays:
    @given(st.datetimes(datetime.min.replace(year=2026), _LAST, timezones=st.just(UTC)), zones)  # noqa: DTZ901 as above
    def test_contain_the_instants_of_their_date(self, instant: datetime, zone: str) -> None:
        clock = ZoneInfo(zone)
        day = instant.astimezone(clock).date()
        assert day_beginning(day, clock) <= instant < day_beginning(day + timedelta(days=1), clock)

    def test_follow_each_other_over_both_clock_changes(self) -> None:
        days = [date(2027, 1, 1) + timedelta(days=number) for number in range(366)]
        for zone in zone_names():
            clock = ZoneInfo(zone)
            beginnings = [day_beginning(day, clock) for day in days]
            for day, begin, end in zip(days, beginnings, beginnings[1:], strict=False):
                assert begin.astimezone(clock).date() == day, zone
                assert (end - timedelta(microseconds=1)).astimezone(clock).date() == day, zone

    @pytest.mark.parametrize("text", ["2026-02-30", "2026-2-1", "2026-02-01T00:00:00", "20260201", ""])
    def test_are_dates_of_the_calendar(self, text: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 its text is for people
            parse_date(text)
