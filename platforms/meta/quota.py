"""Read how many posts of a day an account has left."""

from typing import Any

from domain.rate_limits import Quota
from platforms.errors import ErrorKind, PlatformError
from platforms.http.untrusted import count


def quota_of(quotas: Any, label: str, of: str = "") -> Quota:
    """Return what Meta's edges on publishing limits tell; `of` begins the names of a limit of its own ("reply_").

    Raises PlatformError if that cannot be read.
    """
    try:
        used, total = quotas[0][f"{of}quota_usage"], quotas[0][f"{of}config"]["quota_total"]
        most = int(total)
        return Quota(count(most - int(used)) or 0, limit=count(most))
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        message = f"{label} did not say how many posts are left."
        raise PlatformError(ErrorKind.TRANSIENT, message, code="unreadable_answer") from error
