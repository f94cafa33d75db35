"""Campaigns that tests of this folder share."""

from datetime import UTC, datetime

from domain.campaigns import CampaignStatus
from store.campaigns.campaigns import CampaignFields, add_campaign
from tests.stack import Stack


async def save_campaign(
    stack: Stack, fields: CampaignFields | None = None, status: CampaignStatus = CampaignStatus.ACTIVE
) -> str:
    """Insert a campaign of any status; return its id."""
    async with stack.database.transaction() as session:
        fields = fields or CampaignFields("Black Friday")
        return (await add_campaign(session, stack.workspace_id, fields, status, datetime.now(UTC))).id
