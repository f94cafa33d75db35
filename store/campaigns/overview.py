"""The state of one campaign, for its workflow and the doctor."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaign_state import CampaignPlan, CampaignState, NextPost, TimedChange
from domain.campaigns import CampaignStatus
from domain.pauses import MissedPolicy, campaign_gate
from domain.post import PostStatus
from domain.schedule import rfc3339
from store.campaigns.campaigns import find_campaign
from store.campaigns.operations import list_operations
from store.campaigns.pausing import find_pause_of_campaign
from store.campaigns.progress import count_progress
from store.database import Database
from store.models import Campaign, Operation, Post
from store.pauses.missed import count_missed
from store.workspaces.queries import name_of_workspace

_NEXT = 3


def due_change(campaign: Campaign, now: datetime) -> TimedChange | None:
    """Return the change of a campaign whose time has come."""
    if campaign.status != CampaignStatus.ENDED and campaign.ends_at is not None and campaign.ends_at <= now:
        return TimedChange.END
    is_paused = campaign.status == CampaignStatus.PAUSED
    if is_paused and campaign.resume_at is not None and campaign.resume_at <= now:
        return TimedChange.RESUME
    return None


async def read_state(database: Database, plan: CampaignPlan, now: datetime) -> CampaignState | None:
    """Return the state of a campaign; None if it is deleted."""
    progress = (await count_progress(database, [plan.campaign_id], now))[plan.campaign_id]
    async with database.reading() as session:
        campaign = await find_campaign(session, plan.workspace_id, plan.campaign_id)
        if campaign is None:
            return None
        state = CampaignState(
            name=campaign.name,
            workspace=await name_of_workspace(session, plan.workspace_id) or "",
            status=CampaignStatus(campaign.status),
            ends_at=campaign.ends_at,
            posts=progress.by_status,
            behind=progress.behind,
            skipped=progress.skipped,
            next_posts=await _next_posts(session, campaign),
            last_operation=await _last_operation(session, campaign),
            due_change=due_change(campaign, now),
        )
        if state.status is CampaignStatus.PAUSED:
            await _add_pause(session, campaign, state, now)
    state.again_in = state.until_next_look(now)
    return state


async def _next_posts(session: AsyncSession, campaign: Campaign) -> list[NextPost]:
    query = select(Post.id, Post.due_at).where(
        Post.campaign_id == campaign.id, Post.status == PostStatus.SCHEDULED, Post.due_at.is_not(None)
    )
    rows = await session.execute(query.order_by(Post.due_at, Post.id).limit(_NEXT))
    return [NextPost(post_id=post_id, due_at=due_at) for post_id, due_at in rows if due_at is not None]


async def _last_operation(session: AsyncSession, campaign: Campaign) -> str | None:
    operations = await list_operations(session, campaign.workspace_id, 1, campaign_id=campaign.id)
    return _sentence(operations[0]) if operations else None


def _sentence(operation: Operation) -> str:
    by = " ".join(part for part in (operation.actor_type.replace("_", " "), operation.actor_id) if part)
    return f"{operation.kind} at {rfc3339(operation.at)} by {by}"


async def _add_pause(session: AsyncSession, campaign: Campaign, state: CampaignState, now: datetime) -> None:
    pause = await find_pause_of_campaign(session, campaign)
    if pause is not None:
        state.paused_since, state.reason = pause.paused_at, pause.reason
        state.paused_by = pause.paused_by or pause.paused_by_type
    state.resume_at = campaign.resume_at
    state.resume_missed = MissedPolicy(campaign.resume_missed) if campaign.resume_missed else None
    state.missed = (await count_missed(session, campaign.workspace_id, campaign_gate(campaign.id), now)).published
