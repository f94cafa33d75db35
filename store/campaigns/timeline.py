"""The number of a campaign's posts on each day, by their status and by their platform."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from store.database import Database

_ITS_POSTS = """
SELECT id, status, due_at, coalesce(scheduled_for, due_at) AS at FROM posts
WHERE workspace_id = $1 AND campaign_id = $2 LIMIT $3
"""
_PERIOD = f"""
SELECT min(at) AS first, max(at) AS last, count(*) AS total, count(*) FILTER (WHERE at IS NULL) AS timeless
FROM ({_ITS_POSTS}) AS posts
"""  # noqa: S608 a statement of ours
# A post with two accounts of a platform counts once for it.
_COUNTS = f"""
WITH days AS MATERIALIZED (
  SELECT id, CASE WHEN status = 'scheduled' AND due_at <= now() THEN 'publishing' ELSE status END AS status,
    width_bucket(at, $4::timestamptz[]) - 1 AS day
  FROM ({_ITS_POSTS}) AS posts WHERE at IS NOT NULL
)
SELECT day, status, NULL AS platform, count(*) AS posts FROM days GROUP BY day, status
UNION ALL
SELECT day, NULL, platform, count(DISTINCT days.id)
FROM days JOIN targets ON targets.post_id = days.id GROUP BY day, platform
ORDER BY day, status, platform
"""  # noqa: S608 the same


class CampaignPeriod(NamedTuple):
    """The times of a campaign's posts: the first and the last one, None if no post has a time."""

    first: datetime | None
    last: datetime | None
    total: int
    timeless: int
    """The number of its drafts without a time."""


class DayCount(NamedTuple):
    """The number of a day's posts of a status, or with a target on a platform. `day` counts from 0."""

    day: int
    status: str | None
    platform: str | None
    posts: int


async def read_period(database: Database, workspace_id: str, campaign_id: str, most: int) -> CampaignPeriod:
    """Return the times of a campaign's posts; at most `most` + 1 are read."""
    row = await database.row(_PERIOD, workspace_id, campaign_id, most + 1)
    return CampaignPeriod._make(row) if row else CampaignPeriod(None, None, 0, 0)


async def count_days(
    database: Database, workspace_id: str, campaign_id: str, beginnings: Sequence[datetime], most: int
) -> list[DayCount]:
    """Return the counts of a campaign's days, which begin at `beginnings`, the first day first."""
    rows = await database.rows(_COUNTS, workspace_id, campaign_id, most, beginnings)
    return list(map(DayCount._make, rows))
