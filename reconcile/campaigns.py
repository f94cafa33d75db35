"""Campaigns and their workflows: a workflow is told what has changed, and a lost one is started again."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from domain.campaigns import CampaignPlan
from domain.errors import Unavailable
from domain.printable import error_words
from reconcile.rounds import BackgroundTask
from store.campaigns.progress import UNTOLD, campaigns_after, claim_campaigns, record_told
from store.database import Database
from workflows.client.campaign_workflows import CampaignWorkflows
from workflows.client.runs import Runs

log = structlog.get_logger(__name__)

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
