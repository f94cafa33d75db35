"""Activities that read and change campaigns for their workflows. A change is one transaction, and may be repeated."""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.commands import PauseCampaignCommand, ResumeCampaignCommand
from activities.operators import who_signalled
from domain.audit import WORKER
from domain.campaigns import CampaignPlan, CampaignState, TimedChange
from domain.moves import MoveRefused
from domain.pauses import MissedPolicy
from domain.printable import error_words
from store.campaigns.campaigns import lock_campaign, raise_campaign_version
from store.campaigns.lifecycle import end_campaign
from store.campaigns.pausing import find_pause_of_campaign, find_pause_problem, pause_campaign, resume
from store.campaigns.progress import due_change, read_state
from store.database import Database
from store.models import Campaign

log = structlog.get_logger(__name__)

_GONE = "the campaign is deleted."


class CampaignActivities:
    """The activities of campaigns' workflows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn
    async def read_campaign(self, plan: CampaignPlan) -> CampaignState | None:
        """Return the state of a campaign; None if it is deleted."""
        return await read_state(self._database, plan, datetime.now(UTC))

    @activity.defn
    async def change_campaign_at_its_time(self, plan: CampaignPlan) -> None:
        """Make the change of a campaign whose time has come, if it was not made meanwhile."""
        async with self._database.transaction() as session:
            campaign = await lock_campaign(session, plan.workspace_id, plan.campaign_id)
            if campaign is None:
                return
            match due_change(campaign, datetime.now(UTC)):
                case TimedChange.END:
                    await end_campaign(session, campaign, WORKER)
                case TimedChange.RESUME:
                    await self._resume(session, campaign)
                case None:
                    return

    async def _resume(self, session: AsyncSession, campaign: Campaign) -> None:
        """End the pause of a locked campaign, as was said when it began."""
        pause = await find_pause_of_campaign(session, campaign)
        policy = MissedPolicy(campaign.resume_missed) if campaign.resume_missed else None
        if pause is None:
            return
        try:
            async with session.begin_nested():
                await resume(session, pause, policy, timedelta(0), WORKER)
        except MoveRefused as refused:
            # It stays paused, and a person must say what becomes of its posts.
            campaign.resume_at = campaign.resume_missed = None
            raise_campaign_version(campaign)
            log.warning("campaign.not_resumed", campaign_id=campaign.id, reason=error_words(refused))

    @activity.defn
    async def pause_campaign(self, command: PauseCampaignCommand) -> str:
        """Pause a campaign for an operator, and return for people what has become of the request."""
        actor, _ = await who_signalled("pause")
        async with self._database.transaction() as session:
            campaign = await lock_campaign(session, command.workspace_id, command.campaign_id)
            if campaign is None:
                return _GONE
            if problem := find_pause_problem(campaign):
                return f"not paused. {problem.error}."
            await pause_campaign(session, campaign, command.reason, actor)
        return "paused."

    @activity.defn
    async def resume_campaign(self, command: ResumeCampaignCommand) -> str:
        """End the pause of a campaign for an operator, and return for people what has become of the request."""
        actor, _ = await who_signalled("resume")
        try:
            async with self._database.transaction() as session:
                campaign = await lock_campaign(session, command.workspace_id, command.campaign_id)
                if campaign is None:
                    return _GONE
                pause = await find_pause_of_campaign(session, campaign)
                if pause is None:
                    return "not resumed: it is not paused."
                ended = await resume(session, pause, command.missed, timedelta(seconds=command.spacing_s), actor)
        except MoveRefused as refused:
            return f"not resumed. {refused}."
        if ended is None:
            return "not resumed: posts were missed, so say what becomes of them: missed publish, shift or skip."
        counts = ended.resumed
        return f"resumed: {counts.published:,} published, {counts.shifted:,} moved, {counts.skipped:,} skipped."
