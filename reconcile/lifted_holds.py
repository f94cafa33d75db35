"""Posts that a closed gate holds and that nothing else settles.

If no gate stops a post any more, it continues: it fell due while its pause ended, in a blackout that has ended, or its
gate was opened by hand. If its campaign has ended, it becomes a draft, or fails if it is partly public.
"""

from datetime import UTC, datetime, timedelta

import structlog

from domain.audit import WORKER, Action, AuditEntry
from reconcile.rounds import BackgroundTask
from store.campaigns.lifecycle import (
    INCOMPLETE,
    PAST_END,
    complete_campaigns,
    end_campaign,
    lock_campaign_to_end,
    settle_ended,
)
from store.database import Database
from store.pauses.missed import PAUSED_TARGETS, lock_free, publish_missed, spaced

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


EVERY_S = 10.0


def hold_task(database: Database) -> BackgroundTask:
    """Return the task that looks for such posts every few seconds."""

    async def lift_all() -> None:
        while await lift_holds(database) == BATCH:
            pass
        while await end_next_campaign(database):
            pass
        while await settle_holds(database) == BATCH:
            pass
        while await complete_ended_campaigns(database) == BATCH:
            pass

    return BackgroundTask(lift_all, EVERY_S, "holds.postponed", due=(PAUSED_TARGETS, PAST_END, INCOMPLETE))


async def lift_holds(database: Database) -> int:
    """Let a batch of such posts continue now; the sweep delivers them. Return how many there were.

    It takes no gate's lock: if a gate closes meanwhile, the step of the post is held again.
    """
    async with database.transaction() as session:
        now = datetime.now(UTC)
        posts = await lock_free(session, now, BATCH)
        await publish_missed(session, posts, spaced(posts, now, timedelta(0)), AuditEntry(Action.RELEASED, WORKER), now)
    for post in posts:
        log.info("post.lifted", post_id=post.id, workspace_id=post.workspace_id)
    return len(posts)
