"""The progress of campaigns: their posts, counted by the index of campaigns when it is asked for (ADR 29)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.post import PostStatus
from store.database import Pool

# The statuses and times are in the index, and in the order of the groups, so that nothing is sorted. The other two
# counts read few rows: drafts, and posts that are still to be delivered, which have an index of their own.
_COUNT = """
SELECT campaign_id, status AS name, count(*) AS posts, count(*) FILTER (WHERE due_at <= $2) AS due,
       min(due_at) FILTER (WHERE due_at > $2) AS first, max(due_at) FILTER (WHERE due_at > $2) AS last
FROM posts WHERE campaign_id = ANY($1) GROUP BY 1, 2
UNION ALL
SELECT campaign_id, 'skipped', count(*), 0, NULL, NULL
FROM posts WHERE campaign_id = ANY($1) AND status = 'draft' AND skip_reason IS NOT NULL GROUP BY 1
UNION ALL
SELECT campaign_id, 'behind', count(*), 0, NULL, NULL
FROM posts
WHERE campaign_id = ANY($1) AND delivered_version < version
  AND (status IN ('scheduled', 'publishing') OR next_delivery_at IS NOT NULL)
GROUP BY 1
"""


@dataclass(slots=True)
class Progress:
    """The posts of a campaign by their statuses."""

    by_status: dict[PostStatus, int] = field(default_factory=lambda: dict.fromkeys(PostStatus, 0))
    skipped: int = 0
    """Drafts that were scheduled, and became drafts by a pause, a change or the end of the campaign."""
    behind: int = 0
    """Posts whose workflows do not know their newest version yet."""
    next_at: datetime | None = None
    """When the next scheduled post is due."""
    last_at: datetime | None = None
    """When the last scheduled post is due."""

    @property
    def total(self) -> int:
        """Return the number of posts."""
        return sum(self.by_status.values())


async def count_progress(database: Pool, campaign_ids: Sequence[str], now: datetime) -> dict[str, Progress]:
    """Return the progress of campaigns at one instant, by their ids."""
    progress: dict[str, Progress] = defaultdict(Progress)
    for row in await database.rows(_COUNT, list(campaign_ids), now):
        campaign = progress[row["campaign_id"]]
        match row["name"]:
            case "skipped":
                campaign.skipped = row["posts"]
            case "behind":
                campaign.behind = row["posts"]
            case PostStatus.SCHEDULED:
                # Due ones are shown as being published.
                campaign.by_status[PostStatus.SCHEDULED] = row["posts"] - row["due"]
                campaign.by_status[PostStatus.PUBLISHING] += row["due"]
                campaign.next_at, campaign.last_at = row["first"], row["last"]
            case name:
                campaign.by_status[PostStatus(name)] += row["posts"]
    return {campaign_id: progress[campaign_id] for campaign_id in campaign_ids}
