"""The ends of campaigns: those whose `endsAt` has passed, and the posts that their closed gates hold.

No safety depends on it: from `endsAt` on the gate stops every send, and readers see that the campaign has ended.
"""

from datetime import UTC, datetime

import structlog

from domain.audit import WORKER
from store.campaigns.lifecycle import complete_campaigns, end_campaign, lock_campaign_to_end, settle_ended
from store.database import Database

log = structlog.get_logger(__name__)

BATCH = 200


async def end_next_campaign(database: Database) -> bool:
    """End one campaign whose `endsAt` has passed; return whether there was one."""
    async with database.transaction() as session:
        campaign = await lock_campaign_to_end(session, datetime.now(UTC))
        if campaign is None:
            return False
        _, result = await end_campaign(session, campaign, WORKER)
    log.info("campaign.ended", campaign_id=campaign.id, workspace_id=campaign.workspace_id, **result)
    return True


async def settle_holds(database: Database) -> int:
    """Settle a batch of posts that the gates of ended campaigns hold. Return how many there were."""
    async with database.transaction() as session:
        post_ids = await settle_ended(session, datetime.now(UTC), BATCH)
    for post_id in post_ids:
        log.info("post.campaign_ended", post_id=post_id)
    return len(post_ids)


async def complete_ended_campaigns(database: Database) -> int:
    """Record which ended campaigns have nothing on its way any more. Return how many there were."""
    async with database.transaction() as session:
        campaign_ids = await complete_campaigns(session, BATCH)
    for campaign_id in campaign_ids:
        log.info("campaign.completed", campaign_id=campaign_id)
    return len(campaign_ids)
