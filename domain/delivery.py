"""The times by which a post's newest version is delivered to its workflow."""

from datetime import datetime, timedelta

UNDELIVERED_AFTER = timedelta(seconds=30)
"""The age from which an undelivered version counts: the sweep comes every 5 s."""
BULK_STARTS_PER_S = 100
"""The default pace of bulk operations. A start and its first task take 11 to 17 ms of a core (docs/operations.md), so
this leaves about a third of two cores to everything else."""
BULK_LEAD = timedelta(seconds=60)
"""How long before its due time a post of a bulk operation is delivered at the latest (`bulk_delivery_at_v1`)."""


def undelivered_since(updated_at: datetime, next_delivery_at: datetime | None, delivery_attempts: int) -> datetime:
    """Return the time from which a version that is not delivered counts as waiting for delivery.

    A version that a bulk operation wrote may wait until its moment; the first delivery may take its time, too.
    """
    if next_delivery_at is None or delivery_attempts > 1:
        return updated_at
    return max(updated_at, next_delivery_at)
