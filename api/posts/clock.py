"""The time as the rows of posts hold it."""

from datetime import UTC, datetime


def now_ms() -> datetime:
    """Return the time to the millisecond, which is what answers show: a filter by what was read must find the post."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
