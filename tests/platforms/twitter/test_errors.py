"""Errors of X by a limit of 24 hours."""

import time
from datetime import timedelta

import pytest

from platforms.errors import ErrorKind
from platforms.twitter.errors import read_error
from tests.platforms.error_shapes import answer


@pytest.mark.parametrize("who", ["user", "app"])
def test_a_limit_of_24_hours_is_a_cap_until_its_own_reset(who: str) -> None:
    day = f"x-{who}-limit-24hour"
    headers = {"x-rate-limit-reset": "1", f"{day}-reset": str(int(time.time()) + 7200)}
    error = read_error(answer(429, **headers, **{f"{day}-remaining": "0"}))
    assert error.kind is ErrorKind.CAPPED
    assert timedelta(seconds=7100) < (error.retry_after or timedelta()) <= timedelta(seconds=7200)
    error = read_error(answer(429, **headers, **{f"{day}-remaining": "3"}))
    assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMITED, timedelta(seconds=1))
