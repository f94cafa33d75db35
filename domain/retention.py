"""For how long rows and files are kept."""

from dataclasses import dataclass
from datetime import timedelta

from domain.uploads import MEDIA_KEPT

AUDIT_KEPT = timedelta(days=365)
LEAST_DAYS = 30
"""Days for which every settled post is kept, whatever is set: it may still be retried; our choice."""
MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Retention:
    """For how long a worker keeps what it deletes."""

    audit: timedelta = AUDIT_KEPT
    media: timedelta = MEDIA_KEPT
    posts_days: int = 0
    """Days for which settled posts are kept of workspaces without a number of their own; 0 means for ever."""


def checked_days(days: int) -> int:
    """Return the days for which posts are kept; 0 is for ever. Raises ValueError if they are too few or too many."""
    if days != 0 and not LEAST_DAYS <= days <= MOST_DAYS:
        raise ValueError(f"must be 0, which keeps posts for ever, or {LEAST_DAYS} to {MOST_DAYS}")
    return days
