"""The numbers of posts that accounts are planned to publish, by their times."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Every time zone's days begin at a quarter of an hour in UTC.
_PLANNED = text("""
SELECT platform, account_id, date_bin('15 minutes', due_at, 'epoch') AS since, count(*) AS posts
FROM targets
WHERE workspace_id = :workspace_id AND account_id = ANY(:account_ids) AND status = 'pending' AND begun_at IS NULL
  AND due_at BETWEEN :first AND :last AND post_id <> ALL(:without)
GROUP BY platform, account_id, since
""")


async def count_planned(
    session: AsyncSession,
    workspace_id: str,
    account_ids: Iterable[str],
    first: datetime,
    last: datetime,
    without: Iterable[str],
) -> list[tuple[tuple[str, str], datetime, int]]:
    """Return how many posts to these accounts are due in each quarter of an hour between two times.

    Each entry has platform and account, the beginning of the quarter, and the number. `without`: the ids of posts that
    do not count.
    """
    values = {
        "workspace_id": workspace_id,
        "account_ids": list(account_ids),
        "first": first,
        "last": last,
        "without": list(without),
    }
    return [((row.platform, row.account_id), row.since, row.posts) for row in await session.execute(_PLANNED, values)]
