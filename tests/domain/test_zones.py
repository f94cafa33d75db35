"""Every clock change of every zone for years ahead, and which time zone database is read."""

import os
import subprocess
import sys
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from domain.schedule import ZoneData, reread, resolve, zone_named, zone_names, zone_version
from tests.zones import altered_zones

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
_STRIDE = timedelta(days=7)
"""Shorter than any time between two clock changes: Morocco's Ramadan lasts four weeks."""
TICK = timedelta(microseconds=1)


class ClockChange(NamedTuple):
    """The instant from which the clocks of a zone have another offset."""

    zone: str
    instant: datetime
    before: timedelta
    after: timedelta


def clock_changes(name: str) -> Iterator[ClockChange]:
    """Find a zone's changes by bisection, using only what its clocks show."""
    info = zone_named(name)

    def offset(instant: datetime) -> timedelta:
        utc_offset = instant.astimezone(info).utcoffset()
        assert utc_offset is not None
        return utc_offset

    start, before = FIRST, offset(FIRST)
    while start < LAST:
        end = start + _STRIDE
        after = offset(end)
        if before != after:
            earlier, later = start, end
            while later - earlier > timedelta(seconds=1):
                middle = earlier + timedelta(seconds=(later - earlier) // timedelta(seconds=2))
                earlier, later = (middle, later) if offset(middle) == before else (earlier, middle)
            yield ClockChange(name, later, before, after)
        start, before = end, after


@pytest.fixture(scope="module")
def changes() -> list[ClockChange]:
    return [change for name in sorted(zone_names()) for change in clock_changes(name)]


def wall_at(instant: datetime, offset: timedelta) -> datetime:
    return (instant + offset).replace(tzinfo=None)


def resolved_instant(wall: datetime, zone: str) -> datetime:
    schedule = resolve(wall.isoformat(), zone)
    assert (schedule.wall, schedule.zone) == (wall.isoformat(), zone)
    return schedule.instant


def shown(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(zone_named(zone)).replace(tzinfo=None)


class TestEveryClockChange:
    def test_is_found(self, changes: list[ClockChange]) -> None:
        """Without changes, the following tests would pass without testing anything."""
        zones = {change.zone for change in changes}
        assert {"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"} <= zones
        assert "Asia/Tokyo" not in zones
        assert len([change for change in changes if change.zone == "Europe/Berlin"]) == 24
        assert {change.after > change.before for change in changes} == {True, False}

    def test_that_skips_times_moves_them_forward_by_the_gap(self, changes: list[ClockChange]) -> None:
        for zone, instant, before, after in changes:
            gap = after - before
            if gap < timedelta(0):
                continue
            first, end = wall_at(instant, before), wall_at(instant, after)
            for wall in (first, first + TICK, first + gap / 2, end - TICK):
                resolved = resolved_instant(wall, zone)
                assert resolved == (wall - before).replace(tzinfo=UTC), (zone, wall)
                assert shown(resolved, zone) == wall + gap, (zone, wall)
            # Just before and after the gap, the clocks show the requested time.
            assert resolved_instant(first - TICK, zone) == instant - TICK, (zone, first)
            assert resolved_instant(end, zone) == instant, (zone, end)

    def test_that_repeats_times_means_the_first(self, changes: list[ClockChange]) -> None:
        for zone, instant, before, after in changes:
            fold = before - after
            if fold < timedelta(0):
                continue
            first, end = wall_at(instant, after), wall_at(instant, before)
            for wall in (first, first + TICK, first + fold / 2, end - TICK):
                resolved = resolved_instant(wall, zone)
                assert resolved == (wall - before).replace(tzinfo=UTC), (zone, wall)
                assert resolved < instant, (zone, wall)
                assert shown(resolved, zone) == shown(resolved + fold, zone) == wall, (zone, wall)
            assert resolved_instant(first - TICK, zone) == instant - fold - TICK, (zone, first)
            assert resolved_instant(end, zone) == instant + fold, (zone, end)

    def test_leaves_other_times_their_round_trip(self, changes: list[ClockChange]) -> None:
        for zone, instant, before, after in changes:
            width = abs(after - before)
            for distance in (width, timedelta(hours=3), timedelta(days=1), timedelta(days=6)):
                for moment in (instant - width - distance, instant + width + distance):
                    wall = shown(moment, zone)
                    assert resolved_instant(wall, zone) == moment, (zone, wall)


def test_every_zone_resolves_every_day() -> None:
    """Noon exists on every day, unless a zone skips a whole day."""
    for zone in sorted(zone_names()):
        for day in range(0, (LAST - FIRST).days, 73):
            wall = (FIRST + timedelta(days=day, hours=12)).replace(tzinfo=None)
            assert shown(resolved_instant(wall, zone), zone) == wall, (zone, wall)


class TestDatabase:
    def test_comes_from_the_package(self) -> None:
        assert zoneinfo.TZPATH == ()
        assert zone_version() >= "2026b"

    def test_is_replaced_by_the_environment(self, tmp_path: Path) -> None:
        (tmp_path / "tzdata.zi").write_text("# version 2019c\n")
        program = "from domain.schedule import zone_version, zone_names; print(zone_version(), 'UTC' in zone_names())"
        printed = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert printed.stdout.split() == ["2019c", "True"]

    def test_has_the_same_zones_on_every_machine(self) -> None:
        assert not zone_names() & {"localtime", "posixrules", "Factory"}
        assert {"UTC", "America/New_York"} <= zone_names()

    def test_versions_differ(self, tmp_path: Path) -> None:
        summer = "2027-07-01T12:00:00"
        packaged, berlin = reread(), resolve(summer, "Europe/Berlin").instant
        assert packaged == reread()
        with altered_zones(tmp_path, {"Europe/Berlin": "Asia/Tokyo"}):
            changed = reread()
            assert (changed.version, changed.digest == packaged.digest) == ("", False)
            assert resolve(summer, "Europe/Berlin").instant == berlin - timedelta(hours=7)
            assert resolve(summer, "Europe/Paris").instant == berlin
        assert reread() == packaged

    def test_zones_may_appear_and_disappear(self, tmp_path: Path) -> None:
        with altered_zones(tmp_path, {"Mars/Olympus": "Asia/Tokyo"}, "2031c"):
            assert "Mars/Olympus" in zone_names()
            assert zone_version() == "2031c"
        assert "Mars/Olympus" not in zone_names()

    @pytest.mark.parametrize(
        ("mine", "other", "older"),
        [
            ("2026b", "2026f", True),
            ("2026f", "2027a", True),
            ("2026f", "2026f", False),
            ("2027a", "2026z", False),
            ("", "2026f", False),
            ("2026f", "", False),
        ],
    )
    def test_is_older_only_if_certain(self, mine: str, other: str, older: bool) -> None:
        assert ZoneData(mine, "").is_older_than(other) is older
