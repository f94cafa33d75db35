"""The rows of campaigns: read, locked and written, always of one workspace."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import Blackout, CampaignRules, CampaignStatus
from store.database import Database
from store.models import Campaign
from store.rows import Reader, argument, written

_READ = written(select(Campaign).where(Campaign.workspace_id == argument(1), Campaign.id == argument(2)))


async def find_campaign(session: AsyncSession, workspace_id: str, campaign_id: str) -> Campaign | None:
    """Return a campaign of a workspace."""
    return await session.scalar(
        select(Campaign).where(Campaign.workspace_id == workspace_id, Campaign.id == campaign_id)
    )


async def lock_campaign(
    session: AsyncSession, workspace_id: str, campaign_id: str, *, alone: bool = False
) -> Campaign | None:
    """Lock a campaign against other changes of it, and return it as it is then.

    It is locked before its posts, and these before its gate. `alone`: no post joins it meanwhile, either.
    """
    query = select(Campaign).where(Campaign.workspace_id == workspace_id, Campaign.id == campaign_id)
    locked = query.with_for_update(key_share=not alone)
    return await session.scalar(locked, execution_options={"populate_existing": True})


async def join_campaign(session: AsyncSession, workspace_id: str, campaign_id: str) -> CampaignRules | None:
    """Return the rules of a campaign that posts join, and keep it from being deleted until the transaction ends.

    Only its deletion waits for this. None if the workspace has no such campaign.
    """
    query = select(Campaign).where(Campaign.workspace_id == workspace_id, Campaign.id == campaign_id)
    campaign = await session.scalar(query.with_for_update(read=True, key_share=True))
    return campaign_rules(campaign) if campaign else None


async def read_campaign_rules(database: Database, workspace_id: str, campaign_id: str) -> CampaignRules | None:
    """Return the rules of a campaign; None if the workspace has no such campaign."""
    row = await database.row(_READ, workspace_id, campaign_id)
    campaign = Reader(row).next(Campaign) if row else None
    return campaign_rules(campaign) if campaign else None


def campaign_status(campaign: Campaign) -> CampaignStatus:
    """Return the status of a campaign now."""
    return CampaignStatus(campaign.status).at(datetime.now(UTC), campaign.ends_at)


def campaign_rules(campaign: Campaign) -> CampaignRules:
    """Return the rules of a campaign for its posts."""
    return CampaignRules(
        campaign.id,
        campaign_status(campaign),
        campaign.timezone,
        campaign.starts_at,
        campaign.ends_at,
        tuple(map(Blackout.from_json, campaign.blackouts)),
    )


async def list_active(session: AsyncSession, after_id: str, limit: int) -> Sequence[Campaign]:
    """Return active campaigns of all workspaces with ids above `after_id`, in their order."""
    query = select(Campaign).where(Campaign.status == CampaignStatus.ACTIVE, Campaign.id > after_id)
    return list(await session.scalars(query.order_by(Campaign.id).limit(limit)))


async def count_campaigns(session: AsyncSession, workspace_id: str) -> int:
    """Return how many campaigns a workspace has, ended ones included."""
    query = select(func.count()).select_from(Campaign).where(Campaign.workspace_id == workspace_id)
    return (await session.execute(query)).scalar_one()


async def list_campaigns(
    session: AsyncSession,
    workspace_id: str,
    limit: int,
    *,
    before_id: str | None = None,
    status: CampaignStatus | None = None,
    tag: str | None = None,
) -> Sequence[Campaign]:
    """Return campaigns of a workspace, the newest first."""
    query = select(Campaign).where(Campaign.workspace_id == workspace_id).order_by(Campaign.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Campaign.id < before_id)
    if status is not None:
        has_ended = or_(Campaign.status == CampaignStatus.ENDED, func.coalesce(Campaign.ends_at <= func.now(), False))
        is_ended = status is CampaignStatus.ENDED
        query = query.where(has_ended if is_ended else and_(Campaign.status == status.value, ~has_ended))
    if tag is not None:
        query = query.where(Campaign.tags.contains([tag]))
    return list(await session.scalars(query))


def raise_campaign_version(campaign: Campaign) -> None:
    """Raise the version of a locked campaign, so that its workflow is told."""
    campaign.version += 1
    campaign.updated_at, campaign.next_delivery_at = datetime.now(UTC), None
