"""Read off an answer's headers how much of a limit is left: what is told so is better than any number of ours."""

from datetime import UTC, datetime, timedelta

import httpx

from domain.pace import Allowance


def told_by(
    response: httpx.Response, remaining: str, resets_in: timedelta | None, *, each: int = 1
) -> Allowance | None:
    """Return what the header named `remaining` tells, in posts that cost `each`; None where it or the time is missing.

    Numbers may have decimals (Reddit's do).
    """
    left = response.headers.get(remaining, "").partition(".")[0]
    if not left.isdecimal() or resets_in is None:
        return None
    return Allowance(int(left) // each, datetime.now(UTC) + resets_in)
