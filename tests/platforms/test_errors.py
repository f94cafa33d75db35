"""What the kinds of errors have in common."""

from datetime import timedelta

from platforms.errors import LONGEST_LIMIT, Kind, NetworkError


def limited(wait: timedelta | None) -> NetworkError:
    return NetworkError(Kind.RATE_LIMITED, "Slow down.", code="slow", retry_after=wait)


def test_a_limit_that_takes_hours_is_a_cap() -> None:
    assert limited(None).kind is Kind.RATE_LIMITED
    assert limited(LONGEST_LIMIT).kind is Kind.RATE_LIMITED
    capped = limited(LONGEST_LIMIT + timedelta(seconds=1))
    assert (capped.kind, str(capped)) == (Kind.CAPPED, "capped (slow)")
