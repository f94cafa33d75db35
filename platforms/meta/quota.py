"""The number of posts per day that an account has left."""

from typing import Any

from domain.rate_limits import Quota
from platforms.errors import ErrorKind, PlatformError
from platforms.http.untrusted import count


def read_quota(quotas: Any, label: str, of: str = "") -> Quota:
    """Return the quota in a response of Meta's edges on publishing limits. Raises PlatformError if it is unreadable.

    `of` is the prefix of a separate limit's fields, such as "reply_".
    """
    try:
        used, total = quotas[0][f"{of}quota_usage"], quotas[0][f"{of}config"]["quota_total"]
        most = int(total)
        return Quota(count(most - int(used)) or 0, limit=count(most))
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        message = f"{label} did not say how many posts are left."
        raise PlatformError(ErrorKind.TRANSIENT, message, code="unreadable_answer") from error
