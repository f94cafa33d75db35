"""The quota that the headers of a response report."""

from datetime import UTC, datetime, timedelta

import httpx

from domain.request_limits import Quota
from platforms.http.untrusted import LONGEST_WAIT, count


def quota_from_headers(
    response: httpx.Response, remaining: str, resets_in: timedelta | None, *, cost: int = 1
) -> Quota | None:
    """Return the quota by the header `remaining`, in posts of this `cost`; None if it or the time is missing.

    A reported quota is better than any number of ours. Numbers may have decimals (Reddit's do). A reset in the past
    counts as now.
    """
    reported = count(response.headers.get(remaining))
    if reported is None or resets_in is None:
        return None
    return Quota(reported // cost, datetime.now(UTC) + max(min(resets_in, LONGEST_WAIT), timedelta(0)))
