"""Errors of LinkedIn that name a post or a day."""

from datetime import UTC, datetime, timedelta

from platforms.linkedin.errors import read_error, repeated_urn
from tests.platforms.error_shapes import linkedin

URN = "urn:li:share:6844785523593134080"


def test_a_duplicate_names_the_post_that_is_there() -> None:
    assert repeated_urn(read_error(linkedin(422, words=f"Content is a duplicate of {URN}")[0])) == URN
    assert repeated_urn(read_error(linkedin(422, words=f"See {URN}")[0])) is None


def test_a_quota_of_a_day_is_waited_for_until_midnight() -> None:
    error = read_error(linkedin(429, words="Resource level throttle limit for calls to this resource is reached.")[0])
    assert error.retry_after is not None
    resumes = datetime.now(UTC) + error.retry_after
    assert (resumes - timedelta(minutes=1)).strftime("%H:%M") in {"00:00", "23:59"}
