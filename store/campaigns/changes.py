"""Changes of campaigns, each in the transaction that locks the campaign's row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import Blackout, CampaignStatus
from domain.ids import new_id
from domain.schedule import ScheduledTime
from store.models import Campaign


@dataclass(frozen=True, slots=True)
class CampaignFields:
    """The fields of a campaign that clients set."""

    name: str
    tags: Sequence[str] = ()
    timezone: str = "UTC"
    starts: ScheduledTime | None = None
    ends: ScheduledTime | None = None
    blackouts: Sequence[Blackout] = ()


async def add_campaign(
    session: AsyncSession, workspace_id: str, fields: CampaignFields, status: CampaignStatus, now: datetime
) -> Campaign:
    """Insert a campaign, which is a draft or active."""
    campaign = Campaign(
        id=new_id("cmp"), workspace_id=workspace_id, status=status.value, version=1, created_at=now, updated_at=now
    )
    set_fields(campaign, fields)
    session.add(campaign)
    await session.flush()
    return campaign


def set_fields(campaign: Campaign, fields: CampaignFields) -> None:
    """Set the fields of a campaign that clients set."""
    campaign.name, campaign.tags, campaign.timezone = fields.name, list(fields.tags), fields.timezone
    starts, ends = fields.starts, fields.ends
    campaign.starts_at, campaign.starts_wall = (starts.instant, starts.wall) if starts else (None, None)
    campaign.ends_at, campaign.ends_wall = (ends.instant, ends.wall) if ends else (None, None)
    campaign.blackouts = [blackout.as_json() for blackout in fields.blackouts]
