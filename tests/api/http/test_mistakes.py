"""Responses to mistakes: they say what to send, also in place of names that are no time zones."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
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


Client = httpx.AsyncClient
JSON = {"Content-Type": "application/json"}
CLOCK = "must be a time of day such as 09:00"
WALL = "must be a wall time without an offset, such as 2030-03-04T09:00"
WALL_OR_DAY = "must be a day, or a wall time without an offset, such as 2030-12-24 or 2030-12-24T09:00"
SERIES: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "start": "2030-03-04T09:00",
    "recurrence": {"frequency": "weekly"},
}
SLOT = {"days": ["mo"], "time": "09:00"}


def series(**fields: Any) -> tuple[str, dict[str, Any]]:
    return "series/preview", SERIES | fields


def queue(**slot: Any) -> tuple[str, dict[str, Any]]:
    return "queues", {"name": "Mornings", "timezone": "Europe/Berlin", "slots": [SLOT | slot]}


def file(**fields: Any) -> tuple[str, dict[str, Any]]:
    return "media/presign", {"filename": "a.jpg", "contentType": "image/jpeg", **fields}


@pytest.mark.parametrize(
    ("request_", "param", "sentence"),
    [
        (series(start="2030-03-04"), "start", WALL),
        (series(start="2030-03-04T09:00:00Z"), "start", WALL),
        (series(exclude=["xmas"]), "exclude.0", WALL_OR_DAY),
        (series(recurrence={"frequency": "daily", "times": ["9:00"]}), "recurrence.times.0", CLOCK),
        (series(recurrence={"frequency": "daily", "times": ["0\u0669:00"]}), "recurrence.times.0", CLOCK),
        (queue(time="9:00"), "slots.0.time", CLOCK),
        (queue(time="9am"), "slots.0.time", CLOCK),
        (queue(time="24:00"), "slots.0.time", CLOCK),
        (queue(time="09:00:30"), "slots.0.time", CLOCK),
        (file(contentType="jpg"), "contentType", "must be a media type such as image/jpeg"),
        (file(sha256="abc"), "sha256", "must be 64 hexadecimal digits"),
        (
            ("campaigns", {"name": "Winter", "blackouts": [{"from": "2030-02-28", "to": "2030-02-30"}]}),
            "blackouts.0.to",
            "names a day that does not exist: February 2030 has no day 30",
        ),
        (
            ("posts/bulk", {"posts": [{"isDraft": True, "idempotencyKey": "schlüssel"}]}),
            "posts.0.idempotencyKey",
            "must be 1 to 255 printable ASCII characters",
        ),
        (
            ("posts", {"content": "Hello", "scheduledFor": "2027-02-30"}),
            "scheduledFor",
            "names a time that does not exist: February 2027 has no day 30",
        ),
        (("posts", {"text": "Hello"}), "text", "is not a known field; did you mean content?"),
        (("posts", {"content": "Hello", "media": []}), "media", "is not a known field; did you mean mediaItems?"),
        (
            ("posts", {"content": "Hello", "publishAt": "2030-03-04T09:00"}),
            "publishAt",
            "is not a known field; did you mean scheduledFor?",
        ),
        (("campaigns", {"title": "Winter"}), "title", "is not a known field; did you mean name?"),
        (("campaigns", {"name": "Winter", "status": "active"}), "status", "is not a known field"),
        (
            ("connect/bluesky", {"username": "ada", "password": "hunter2"}),
            "credentials",
            "is required: GET /v1/connect/bluesky lists what it holds",
        ),
    ],
    ids=str,
)
async def test_answer_to_a_wrong_field_says_what_to_send(
    api: Client, request_: tuple[str, dict[str, Any]], param: str, sentence: str
) -> None:
    path, body = request_
    answer = await api.post(f"/v1/{path}", json=body, headers={"Idempotency-Key": "a-mistake"})
    sentences = {problem["param"]: problem["error"] for problem in answer.json()["errors"]}
    assert answer.status_code == 400
    assert sentences[param] == f"{param} {sentence}"


@pytest.mark.parametrize(
    ("platform", "settings", "param", "sentence"),
    [
        (
            "instagram",
            {"contentType": "reel"},
            "contentType",
            "must be story, or left out: a video alone is published as a reel",
        ),
        (
            "discord",
            {"embeds": [{"color": 5}]},
            "embeds.0",
            "must have something to show, such as a title or a description",
        ),
    ],
)
async def test_answer_to_a_wrong_setting_says_what_to_send(
    api: Client, platform: str, settings: dict[str, Any], param: str, sentence: str
) -> None:
    target = {"platform": platform, "accountId": "any", "platformSpecificData": settings}
    answer = await api.post("/v1/posts/validate", json={"content": "Hello", "platforms": [target], "publishNow": True})
    place = f"platforms.0.platformSpecificData.{param}"
    assert f"{place} {sentence}" in [problem["error"] for problem in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=31", "not every month has 31 days: add SKIP=OMIT or SKIP=BACKWARD"),
        ("DTSTART:20300101T090000\nRRULE:FREQ=DAILY", "leave DTSTART out: `start` says when the series begins"),
    ],
)
async def test_answer_to_a_wrong_rrule_speaks_of_the_text(api: Client, rule: str, sentence: str) -> None:
    answer = await api.post("/v1/series/preview", json=SERIES | {"recurrence": {"rrule": rule}})
    assert answer.json()["error"] == f"recurrence.rrule: {sentence}"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "The body is empty: send a JSON object"),
        (b'\xef\xbb\xbf{"content": "Hello"}', "The body begins with a byte order mark: send UTF-8 without it"),
    ],
)
async def test_answer_to_an_invisible_mistake_names_it(api: Client, raw: bytes, sentence: str) -> None:
    answer = await api.post("/v1/posts", content=raw, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (400, sentence)


@pytest.mark.parametrize("value", ["null", "yes", ""])
async def test_status_refuses_a_wrong_parameter_as_documented(api: Client, value: str) -> None:
    answer = await api.get(f"/statusz?strict={value}")
    assert (answer.status_code, answer.json()["param"]) == (400, "strict")
    assert answer.json()["error"] == "strict must be true or false"


async def test_media_at_a_port_that_is_not_called_are_a_warning(api: Client) -> None:
    body = {"isDraft": True, "mediaItems": [{"type": "image", "url": "https://example.com:22/a.jpg"}]}
    (warning,) = (await api.post("/v1/posts/validate", json=body)).json()["warnings"]
    assert (warning["code"], warning["param"]) == ("media_refused", "mediaItems.0")
    assert "this port is not called" in warning["error"]
