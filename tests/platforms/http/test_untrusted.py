"""Numbers and times that servers report are kept within bounds."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from platforms.http.untrusted import LONGEST_WAIT, MOST, count, moment, quota_from_headers, wait, wait_until

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
