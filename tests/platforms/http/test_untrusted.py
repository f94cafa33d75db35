"""Numbers, times and quotas of responses, whatever they contain."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.request_limits import Quota
from platforms.capabilities import ReportsQuota
from platforms.errors import ErrorKind, PlatformError
from platforms.http.untrusted import LONGEST_WAIT, MOST, count, moment, quota_from_headers, wait, wait_until
from platforms.meta.graph import read_quota
from platforms.registry import platforms
from tests.platforms.rig import Connect

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**500), 10**500),
    st.floats(),
    st.text(),
    st.from_regex(r"-?[0-9]{1,400}(\.[0-9]{0,400})?", fullmatch=True),
    st.datetimes(timezones=st.sampled_from([None, UTC])).map(datetime.isoformat),
    st.lists(st.integers()),
)


@given(ANYTHING)
def test_no_wait_is_longer_than_the_longest(value: object) -> None:
    for pause in (wait(value), wait(value, unit=timedelta(minutes=1)), wait_until(value)):
        assert pause is None or timedelta(0) <= pause <= LONGEST_WAIT


@given(ANYTHING)
def test_no_count_is_larger_than_the_largest(value: object) -> None:
    number = count(value)
    assert number is None or 0 <= number <= MOST


@given(ANYTHING, st.sampled_from([1, 1000]))
def test_every_time_is_in_range(value: object, per_second: int) -> None:
    try:
        time = moment(value, per_second=per_second)
    except ValueError:
        return
    assert abs(time - datetime.now(UTC)) < timedelta(days=365 * 300)
    assert time.utcoffset() == timedelta(0)


@given(st.text(st.characters(codec="latin-1")), st.timedeltas())
@example("0", timedelta(days=-739_950))
def test_every_header_is_a_quota_or_none(remaining: str, resets_in: timedelta) -> None:
    answer = httpx.Response(200, headers=[(b"left", remaining.encode("latin-1"))])
    quota = quota_from_headers(answer, "left", resets_in)
    assert quota is None or 0 <= quota.remaining <= MOST


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        (" 30 ", 30),
        ("1.5", 1.5),
        (7, 7),
        (0.25, 0.25),
        ("-3", 0),
        ("99999999999", 86_400),
        (10**19, 86_400),
    ],
)
def test_a_valid_wait_is_limited_to_one_day(value: object, seconds: float) -> None:
    assert wait(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", [None, True, "", "soon", "1e9", "nan", float("inf"), float("nan"), "٣", "1" * 21, [], 10**30]
)
def test_an_invalid_number_is_none(value: object) -> None:
    assert wait(value) is None
    assert count(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_767_225_600, datetime(2026, 1, 1, tzinfo=UTC)),
        ("1767225600", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T02:00:00+02:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00.000Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_each_way_that_platforms_write_it(value: object, expected: datetime) -> None:
    assert moment(value) == expected


def answers(reset: datetime) -> dict[str, tuple[dict[str, str], int]]:
    """Return the headers of each platform for a limit that ends then, an hour from now, and what is left of it."""
    at, utc = str(int(reset.timestamp())), reset.isoformat().replace("+00:00", "Z")
    return {
        "twitter": ({"x-rate-limit-remaining": "7", "x-rate-limit-reset": at}, 7),
        "mastodon": ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": utc}, 7),
        "bluesky": ({"ratelimit-remaining": "7", "ratelimit-reset": at}, 2),
        "discord": ({"x-ratelimit-remaining": "7", "x-ratelimit-reset-after": "3600.25"}, 7),
        "reddit": ({"x-ratelimit-remaining": "7.0", "x-ratelimit-reset": "3600"}, 7),
    }


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("platform", answers(in_an_hour()))
def test_headers_report_remaining_and_reset(platform: str) -> None:
    headers, remaining = answers(in_an_hour())[platform]
    quota = platforms()[platform].quota_in(httpx.Response(201, headers=headers))
    assert quota is not None
    assert quota.resets_at is not None
    assert quota.remaining == remaining
    assert timedelta(minutes=40) < quota.resets_at - datetime.now(UTC) < timedelta(minutes=61)
    assert platforms()[platform].quota_in(httpx.Response(201)) is None


def test_the_scarcest_of_several_limits_counts() -> None:
    soon = int(in_an_hour().timestamp())
    day = soon + 80_000
    headers = {
        "x-rate-limit-remaining": "40",
        "x-rate-limit-reset": str(soon),
        "x-user-limit-24hour-remaining": "2",
        "x-user-limit-24hour-reset": str(day),
    }
    quota = platforms()["twitter"].quota_in(httpx.Response(201, headers=headers))
    assert quota is not None
    assert quota.resets_at is not None
    assert quota.remaining == 2
    assert abs(quota.resets_at.timestamp() - day) < 2


@pytest.mark.parametrize(("name", "total"), [("instagram", 100), ("threads", 250)])
async def test_accounts_are_asked_for_their_own_number(connect: Connect, name: str, total: int) -> None:
    rig, platform = await connect(name), platforms()[name]
    assert isinstance(platform, ReportsQuota)
    assert await platform.quota(rig.connection()) == Quota(total, limit=total)


@pytest.mark.parametrize("answer", [None, [], [{}], [{"quota_usage": "many", "config": {"quota_total": 1}}], {"a": 1}])
def test_unreadable_quota_is_rejected(answer: object) -> None:
    with pytest.raises(PlatformError) as caught:
        read_quota(answer, "Threads")
    assert caught.value.kind is ErrorKind.TRANSIENT
