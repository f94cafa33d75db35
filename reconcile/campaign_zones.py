"""The campaigns whose times and days have other instants in a new tzdata: they keep the wall times."""

from datetime import datetime

import structlog

from domain.schedule import UnknownZone
from store.campaigns.campaigns import campaigns_with_wall_times, lock_campaign, resolve_again
from store.database import Database

log = structlog.get_logger(__name__)

_BATCH = 500


async def follow_zones_of_campaigns(database: Database, since: datetime | None) -> int:
    """Give all campaigns the instants of their wall times; return how many have moved.

    `since`: when the zones were last compared, if they are the same; older campaigns are left out then.
    """
    moved, after_id = 0, ""
    while True:
        async with database.reading() as session:
            campaigns = await campaigns_with_wall_times(session, after_id, since, _BATCH)
        for workspace_id, campaign_id in campaigns:
            moved += await _follow(database, workspace_id, campaign_id)
        if len(campaigns) < _BATCH:
            return moved
        after_id = campaigns[-1][1]


async def _follow(database: Database, workspace_id: str, campaign_id: str) -> bool:
    try:
        async with database.transaction() as session:
            campaign = await lock_campaign(session, workspace_id, campaign_id)
            has_moved = campaign is not None and await resolve_again(session, campaign)
    except UnknownZone:
        log.warning("campaign.zone_unknown", campaign_id=campaign_id)
        return False
    if has_moved:
        log.info("campaign.moved", campaign_id=campaign_id, workspace_id=workspace_id)
    return has_moved
