"""The progress of campaigns: counted by their index when it is asked for (ADR 29), and told to their workflows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import CampaignPlan, CampaignState, CampaignStatus, NextPost, TimedChange
from domain.pauses import MissedPolicy, campaign_gate
from domain.post import PostStatus
from domain.schedule import rfc3339
from store.campaigns.operations import list_operations
from store.campaigns.pausing import find_pause_of_campaign
from store.database import Database, Pool
from store.due import Due
from store.models import Campaign, Operation, Post
from store.pauses.missed import count_missed
from store.rows import find_row
from store.workspaces.keys import name_of_workspace

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


_NEXT = 3


def due_change(campaign: Campaign, now: datetime) -> TimedChange | None:
    """Return the change of a campaign whose time has come."""
    if campaign.status != CampaignStatus.ENDED and campaign.ends_at is not None and campaign.ends_at <= now:
        return TimedChange.END
    is_paused = campaign.status == CampaignStatus.PAUSED
    if is_paused and campaign.resume_at is not None and campaign.resume_at <= now:
        return TimedChange.RESUME
    return None


async def read_state(database: Database, plan: CampaignPlan, now: datetime) -> CampaignState | None:
    """Return the state of a campaign; None if it is deleted."""
    progress = (await count_progress(database, [plan.campaign_id], now))[plan.campaign_id]
    async with database.reading() as session:
        campaign = await find_row(session, Campaign, plan.workspace_id, plan.campaign_id)
        if campaign is None:
            return None
        state = CampaignState(
            name=campaign.name,
            workspace=await name_of_workspace(session, plan.workspace_id) or "",
            status=CampaignStatus(campaign.status),
            ends_at=campaign.ends_at,
            posts=progress.by_status,
            behind=progress.behind,
            skipped=progress.skipped,
            next_posts=await _next_posts(session, campaign),
            last_operation=await _last_operation(session, campaign),
            due_change=due_change(campaign, now),
        )
        if state.status is CampaignStatus.PAUSED:
            await _add_pause(session, campaign, state, now)
    state.again_in = state.until_next_look(now)
    return state


async def _next_posts(session: AsyncSession, campaign: Campaign) -> list[NextPost]:
    query = select(Post.id, Post.due_at).where(
        Post.campaign_id == campaign.id, Post.status == PostStatus.SCHEDULED, Post.due_at.is_not(None)
    )
    rows = await session.execute(query.order_by(Post.due_at, Post.id).limit(_NEXT))
    return [NextPost(post_id=post_id, due_at=due_at) for post_id, due_at in rows if due_at is not None]


async def _last_operation(session: AsyncSession, campaign: Campaign) -> str | None:
    operations = await list_operations(session, campaign.workspace_id, 1, campaign_id=campaign.id)
    return _sentence(operations[0]) if operations else None


def _sentence(operation: Operation) -> str:
    by = " ".join(part for part in (operation.actor_type.replace("_", " "), operation.actor_id) if part)
    return f"{operation.kind} at {rfc3339(operation.at)} by {by}"


async def _add_pause(session: AsyncSession, campaign: Campaign, state: CampaignState, now: datetime) -> None:
    pause = await find_pause_of_campaign(session, campaign)
    if pause is not None:
        state.paused_since, state.reason = pause.paused_at, pause.reason
        state.paused_by = pause.paused_by or pause.paused_by_type
    state.resume_at = campaign.resume_at
    state.resume_missed = MissedPolicy(campaign.resume_missed) if campaign.resume_missed else None
    state.missed = (await count_missed(session, campaign.workspace_id, campaign_gate(campaign.id), now)).published


AGAIN_AFTER = timedelta(seconds=10)
"""The pause before a campaign is delivered again, if it was not."""

UNTOLD = Due("campaigns", "campaigns.delivered_version < campaigns.version")
_CLAIM = text(f"""
UPDATE campaigns SET next_delivery_at = CAST(:now AS timestamptz) + CAST(:again AS interval)
WHERE id IN (
  SELECT id FROM campaigns
  WHERE {UNTOLD.sql()} AND (next_delivery_at IS NULL OR next_delivery_at <= :now)
  ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
)
RETURNING id, workspace_id, version
""")  # noqa: S608 our own condition


async def claim_campaigns(session: AsyncSession, now: datetime, most: int) -> dict[CampaignPlan, int]:
    """Return up to `most` campaigns whose workflows are to be told, with their versions; no other worker gets them."""
    rows = await session.execute(_CLAIM, {"now": now, "again": AGAIN_AFTER, "most": most})
    return {CampaignPlan(campaign_id=row.id, workspace_id=row.workspace_id): row.version for row in rows}


async def record_told(session: AsyncSession, versions: dict[str, int]) -> None:
    """Save which version of each campaign its workflow is known to have."""
    for campaign_id, version in versions.items():
        await session.execute(
            update(Campaign)
            .where(Campaign.id == campaign_id, Campaign.delivered_version < version)
            .values(delivered_version=version, next_delivery_at=None)
        )


async def campaigns_after(session: AsyncSession, after_id: str, limit: int) -> Sequence[CampaignPlan]:
    """Return campaigns that have not ended and whose workflows were told, with ids above `after_id`."""
    query = (
        select(Campaign.id, Campaign.workspace_id)
        .where(Campaign.id > after_id, Campaign.status != CampaignStatus.ENDED)
        .where(Campaign.delivered_version >= Campaign.version)
    )
    rows = await session.execute(query.order_by(Campaign.id).limit(limit))
    return [CampaignPlan(campaign_id=campaign_id, workspace_id=workspace_id) for campaign_id, workspace_id in rows]


async def count_by_status(session: AsyncSession) -> dict[CampaignStatus, int]:
    """Return how many campaigns of all workspaces have each status."""
    rows = await session.execute(select(Campaign.status, func.count()).group_by(Campaign.status))
    counts = {CampaignStatus(status): number for status, number in rows}
    return {status: counts.get(status, 0) for status in CampaignStatus}
