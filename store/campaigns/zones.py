"""Campaigns whose times are wall times, and their instants in the present time zones."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import CampaignStatus
from store.campaigns.changes import campaign_fields, change_campaign, plan_campaign_gate
from store.models import Campaign


async def campaigns_with_wall_times(
    session: AsyncSession, after_id: str, since: datetime | None, limit: int
) -> Sequence[tuple[str, str]]:
    """Return the workspaces and ids of campaigns that have not ended, with wall times or days; `since` as of posts."""
    has_days = func.jsonb_array_length(Campaign.blackouts) > 0
    has_wall_time = or_(Campaign.starts_wall.is_not(None), Campaign.ends_wall.is_not(None), has_days)
    query = select(Campaign.workspace_id, Campaign.id).where(
        Campaign.id > after_id, Campaign.status != CampaignStatus.ENDED, has_wall_time
    )
    if since is not None:
        query = query.where(Campaign.updated_at >= since)
    rows = await session.execute(query.order_by(Campaign.id).limit(limit))
    return [(workspace_id, campaign_id) for workspace_id, campaign_id in rows]


async def resolve_again(session: AsyncSession, campaign: Campaign) -> bool:
    """Give a locked campaign and its gate the instants of its wall times; return whether its times have moved.

    Raises UnknownZone.
    """
    before = campaign_fields(campaign)
    starts, ends = (time and time.in_zone(campaign.timezone) for time in (before.starts, before.ends))
    if (starts, ends) == (before.starts, before.ends):
        # The instants of days are in the gate alone.
        await plan_campaign_gate(session, campaign)
        return False
    await change_campaign(session, campaign, replace(before, starts=starts, ends=ends))
    return True
