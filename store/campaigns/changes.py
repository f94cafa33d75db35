"""Changes of campaigns, each in the transaction that locks the campaign's row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import Blackout, CampaignRules, CampaignStatus
from domain.ids import new_id
from domain.pauses import campaign_gate
from domain.schedule import ScheduledTime
from store.campaigns.campaigns import campaign_rules, raise_campaign_version
from store.models import Campaign
from store.pauses.gates import plan_gate


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
    session: AsyncSession,
    workspace_id: str,
    fields: CampaignFields,
    status: CampaignStatus,
    now: datetime,
    campaign_id: str | None = None,
) -> Campaign:
    """Insert a campaign, which is a draft or active, under an id or a new one. Raises UnknownZone."""
    campaign_id = campaign_id or new_id("cmp")
    campaign = Campaign(id=campaign_id, workspace_id=workspace_id, status=status.value, version=1)
    campaign.created_at = campaign.updated_at = now
    _set_fields(campaign, fields)
    session.add(campaign)
    await session.flush()
    if any(True for _ in campaign_rules(campaign).closed_ranges):
        await plan_campaign_gate(session, campaign)
    return campaign


async def change_campaign(session: AsyncSession, campaign: Campaign, fields: CampaignFields) -> None:
    """Give a locked campaign other fields; posts that these do not allow are changed before. Raises UnknownZone."""
    _set_fields(campaign, fields)
    raise_campaign_version(campaign)
    await plan_campaign_gate(session, campaign)


def rules_with_fields(campaign_id: str, status: CampaignStatus, fields: CampaignFields) -> CampaignRules:
    """Return the rules that a campaign of this status has with these fields."""
    return CampaignRules(
        campaign_id,
        status,
        fields.timezone,
        fields.starts.instant if fields.starts else None,
        fields.ends.instant if fields.ends else None,
        tuple(fields.blackouts),
    )


def campaign_fields(campaign: Campaign) -> CampaignFields:
    """Return the fields of a campaign that clients set."""
    starts, ends = (
        ScheduledTime(instant, wall, campaign.timezone) if instant is not None else None
        for instant, wall in ((campaign.starts_at, campaign.starts_wall), (campaign.ends_at, campaign.ends_wall))
    )
    blackouts = tuple(map(Blackout.from_json, campaign.blackouts))
    return CampaignFields(campaign.name, tuple(campaign.tags), campaign.timezone, starts, ends, blackouts)


async def plan_campaign_gate(session: AsyncSession, campaign: Campaign) -> None:
    """Plan the gate of a locked campaign by its fields. It comes after all locks of posts. Raises UnknownZone."""
    ranges = campaign_rules(campaign).closed_ranges
    await plan_gate(session, campaign.workspace_id, campaign_gate(campaign.id), ranges)


def _set_fields(campaign: Campaign, fields: CampaignFields) -> None:
    campaign.name, campaign.tags, campaign.timezone = fields.name, list(fields.tags), fields.timezone
    starts, ends = fields.starts, fields.ends
    campaign.starts_at, campaign.starts_wall = (starts.instant, starts.wall) if starts else (None, None)
    campaign.ends_at, campaign.ends_wall = (ends.instant, ends.wall) if ends else (None, None)
    campaign.blackouts = [blackout.as_json() for blackout in fields.blackouts]
