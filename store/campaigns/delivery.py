"""The delivery of campaigns' versions to their workflows: which workflows are known to have the newest one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaign_state import CampaignPlan
from domain.campaigns import CampaignStatus
from store.models import Campaign

AGAIN_AFTER = timedelta(seconds=10)
"""The pause before a campaign is delivered again, if it was not."""

_CLAIM = text("""
UPDATE campaigns SET next_delivery_at = CAST(:now AS timestamptz) + CAST(:again AS interval)
WHERE id IN (
  SELECT id FROM campaigns
  WHERE delivered_version < version AND (next_delivery_at IS NULL OR next_delivery_at <= :now)
  ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
)
RETURNING id, workspace_id, version
""")


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
