"""Suggestions for time zones that are not written as IANA names."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.suggest import suggest_zone
from domain.schedule import zone_named, zone_names

YEAR = [datetime(2027, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(0, 365, 7)]
_UTC = {"UTC", "UCT", "GMT"}


def suggested_zones(written: str) -> list[str]:
    named = re.fullmatch(r"; did you mean (.+?)(?:, which is UTC.+)?\?", suggest_zone(written))
    return re.split(", | or ", named[1]) if named else []


def offsets(zone: str) -> set[timedelta | None]:
    return {moment.astimezone(zone_named(zone)).utcoffset() for moment in YEAR}


@cache
def offsets_of_places() -> set[timedelta | None]:
    """Return the offsets that some place has all year."""
    return {offset for zone in zone_names() if "/" in zone and len(has := offsets(zone)) == 1 for offset in has}


def abbreviations(zone: str) -> set[str | None]:
    return {moment.astimezone(zone_named(zone)).tzname() for moment in YEAR}


@given(
    st.sampled_from(["", "UTC", "GMT", "utc", "Gmt ", " UTC "]),
    st.sampled_from("+-\N{MINUS SIGN}"),
    st.integers(0, 19),
    st.sampled_from([0, 0, 30, 45]),
    st.sampled_from(["{0}", "{0:02}", "{0}:{1:02}", "{0:02}:{1:02}", "{0:02}{1:02}"]),
)
def test_zone_suggested_for_an_offset_has_it_all_year(
    prefix: str, sign: str, hours: int, minutes: int, form: str
) -> None:
    minutes = minutes if "{1" in form else 0
    offset = timedelta(hours=hours, minutes=minutes) * (1 if sign == "+" else -1)
    zones = suggested_zones(prefix + sign + form.format(hours, minutes))
    assert all(offsets(zone) == {offset} for zone in zones), zones
    assert bool(zones) == (
        offset in offsets_of_places() if minutes else timedelta(hours=-12) <= offset <= timedelta(hours=14)
    )


@pytest.mark.parametrize("written", ["UTC+05:30", "GMT+5:30", "+0530"])
def test_an_offset_with_minutes_gets_the_zone_of_a_place(written: str) -> None:
    assert suggest_zone(written) == "; did you mean Asia/Kolkata, which is UTC+05:30?"


@given(st.text("0123456789+-/:ETCGMUZetcgmuz ", max_size=12))
def test_nothing_that_resembles_an_offset_gets_a_zone_of_another(written: str) -> None:
    for zone in suggested_zones(written):
        if written.strip().lower() == zone.lower():
            continue
        number = re.search(r"([+-])(\d{1,2})(?::?(\d{2}))?$", written.strip())
        if number:
            offset = timedelta(hours=int(number[2]), minutes=int(number[3] or 0)) * (1 if number[1] == "+" else -1)
            assert offsets(zone) == {offset}


_IN_USE = sorted(
    {name for zone in zone_names() for name in abbreviations(zone) if name and name.isalpha()} - zone_names()
)


@pytest.mark.parametrize("abbreviation", _IN_USE)
def test_zones_suggested_for_an_abbreviation_use_it(abbreviation: str) -> None:
    for written in (abbreviation, abbreviation.lower()):
        for zone in suggested_zones(written):
            assert abbreviation in abbreviations(zone) or zone in _UTC


def test_common_abbreviations_get_a_zone_of_their_region() -> None:
    assert suggested_zones("CEST") == ["Europe/Berlin", "Europe/Madrid", "Europe/Paris"]
    assert suggested_zones("MESZ") == ["Europe/Berlin", "Europe/Vienna", "Europe/Zurich"]
    assert suggested_zones("EDT") == ["America/New_York"]
    assert suggested_zones("BST") == ["Europe/London"]
    assert suggested_zones("PST") == ["America/Los_Angeles", "Asia/Manila"]
    assert suggested_zones("IST") == ["Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"]


@pytest.mark.parametrize("city", ["America/Boston", "Boston", "boston", "US/Boston"])
def test_city_without_a_zone_gets_the_zone_of_its_clocks(city: str) -> None:
    assert suggested_zones(city) == ["America/New_York"]


@pytest.mark.parametrize("city", ["Orlando", "Haifa", "Granada", "Cambridge", "Nowhere/Bergen", "America/Bostn_Ma"])
def test_city_that_only_resembles_another_gets_no_zone(city: str) -> None:
    assert suggested_zones(city) == []


@given(
    st.sampled_from(sorted(name for name in zone_names() if re.fullmatch(r"[A-Z][A-Za-z]+/[A-Z][a-z]{5,}", name))),
    st.data(),
)
def test_city_with_a_missing_letter_gets_no_zone_of_another_region(zone: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(zone.index("/") + 1, len(zone) - 1))
    regions = {suggested.partition("/")[0] for suggested in suggested_zones(zone[:place] + zone[place + 1 :])}
    if not zone.startswith("Etc/"):
        assert regions <= {zone.partition("/")[0]}
