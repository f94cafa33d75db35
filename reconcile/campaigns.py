"""Campaigns and the posts that closed gates hold: workflows are told of changes, ends are made, holds are lifted.

A post that no gate stops any more continues: it fell due while its pause ended, in a blackout that has ended, or its
gate was opened by hand. If its campaign has ended, it becomes a draft, or fails if it is partly public. No safety
depends on it: from `endsAt` on the gate stops every send, and readers see that the campaign has ended.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from domain.audit import WORKER, Action, AuditEntry
from domain.campaigns import CampaignPlan
from domain.errors import Unavailable
from domain.printable import error_words
from reconcile.rounds import BackgroundTask
from store.campaigns.lifecycle import (
    INCOMPLETE,
    PAST_END,
    complete_campaigns,
    end_campaign,
    lock_campaign_to_end,
    settle_ended,
)
from store.campaigns.progress import UNTOLD, campaigns_after, claim_campaigns, record_told
from store.database import Database
from store.pauses.missed import PAUSED_TARGETS, lock_free, publish_missed, spaced
from workflows.client.campaign_workflows import CampaignWorkflows
from workflows.client.runs import Runs

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


_EVERY_S = 2.0
_BATCH = 50
_PAGE = 500
LOST_AFTER = timedelta(minutes=10)
"""How often all campaigns are compared with Temporal. No post waits for its campaign's workflow."""


class CampaignRound:
    """The rounds of one worker: campaigns that changed at once, all of them every ten minutes."""

    def __init__(self, database: Database, workflows: CampaignWorkflows, runs: Runs) -> None:
        self._database = database
        self._workflows = workflows
        self._runs = runs
        self._compared_at = float("-inf")

    def task(self) -> BackgroundTask:
        """Return the task that does them."""
        return BackgroundTask(self._round, _EVERY_S, "campaigns.postponed", due=(UNTOLD,), is_shared=True)

    async def _round(self) -> None:
        while await tell_campaigns(self._database, self._workflows) == _BATCH:
            pass
        now = asyncio.get_running_loop().time()
        if now - self._compared_at >= LOST_AFTER.total_seconds():
            self._compared_at = now
            await start_lost_campaigns(self._database, self._workflows, self._runs)


async def tell_campaigns(database: Database, workflows: CampaignWorkflows) -> int:
    """Let the workflows of campaigns that changed read them; return how many there were. Raises Unavailable."""
    async with database.transaction() as session:
        versions = await claim_campaigns(session, datetime.now(UTC), _BATCH)
    told = await asyncio.gather(*(_tell(workflows, plan) for plan in versions))
    async with database.transaction() as session:
        delivered = {plan.campaign_id: version for plan, version in versions.items() if plan.campaign_id in told}
        await record_told(session, delivered)
    return len(versions)


async def _tell(workflows: CampaignWorkflows, plan: CampaignPlan) -> str | None:
    try:
        await workflows.tell(plan)
    except Unavailable as error:
        log.warning("campaign.not_told", campaign_id=plan.campaign_id, reason=error_words(error.__cause__ or error))
        return None
    return plan.campaign_id


async def start_lost_campaigns(database: Database, workflows: CampaignWorkflows, runs: Runs) -> int:
    """Start the workflows of campaigns that do not run and should; return how many. Raises Unavailable."""
    started, last = 0, ""
    while True:
        async with database.reading() as session:
            plans = await campaigns_after(session, last, _PAGE)
        running = {run.workflow_id for run in await runs.running_among(plan.campaign_id for plan in plans)}
        for plan in plans:
            if plan.campaign_id not in running:
                await workflows.tell(plan)
                log.warning("campaign.started_again", campaign_id=plan.campaign_id)
                started += 1
        if len(plans) < _PAGE:
            return started
        last = plans[-1].campaign_id
