"""Read how many posts of a day an account has left."""

from typing import Any

from domain.pace import Allowance
from platforms.errors import Kind, NetworkError


def allowance_of(quotas: Any, label: str) -> Allowance:
    """Return what Meta's edges on publishing limits tell. Raises NetworkError where that cannot be read."""
    try:
        used, total = quotas[0]["quota_usage"], quotas[0]["config"]["quota_total"]
        return Allowance(int(total) - int(used), limit=int(total))
    except (LookupError, TypeError, ValueError) as error:
        message = f"{label} did not say how many posts are left."
        raise NetworkError(Kind.TRANSIENT, message, code="unreadable_answer") from error
