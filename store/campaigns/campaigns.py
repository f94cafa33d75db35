"""The rows of campaigns: read, locked and written, always of one workspace."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import CampaignStatus
from store.models import Campaign


async def find_campaign(session: AsyncSession, workspace_id: str, campaign_id: str) -> Campaign | None:
    """Return a campaign of a workspace."""
    return await session.scalar(
        select(Campaign).where(Campaign.workspace_id == workspace_id, Campaign.id == campaign_id)
    )


async def lock_campaign(session: AsyncSession, workspace_id: str, campaign_id: str) -> Campaign | None:
    """Lock a campaign until the transaction ends, and return it as it is then.

    It is locked before its posts, and these before its gate.
    """
    query = select(Campaign).where(Campaign.workspace_id == workspace_id, Campaign.id == campaign_id)
    return await session.scalar(query.with_for_update(), execution_options={"populate_existing": True})


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
        query = query.where(Campaign.status == status.value)
    if tag is not None:
        query = query.where(Campaign.tags.contains([tag]))
    return list(await session.scalars(query))
