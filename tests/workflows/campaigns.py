"""Campaigns of tests: saved, changed and watched through their workflows."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from domain.campaigns import CampaignState, CampaignStatus
from reconcile.campaigns import tell_campaigns
from store.campaigns.campaigns import CampaignFields, add_campaign
from store.models import Campaign, Post
from tests.stack import Stack
from workflows.campaign import CampaignWorkflow
from workflows.client.campaign_workflows import CampaignWorkflows


async def save_campaign(stack: Stack, name: str) -> Campaign:
    """Save an active campaign, as the API does."""
    async with stack.api_database.transaction() as session:
        return await add_campaign(
            session, stack.workspace_id, CampaignFields(name), CampaignStatus.ACTIVE, datetime.now(UTC)
        )


async def save_post(stack: Stack, campaign: Campaign, text: str, due_in: timedelta | None = None) -> Post:
    """Save a post of a campaign."""
    post = await stack.save(text, [stack.accounts["twitter"]], due_in=due_in)
    async with stack.api_database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(campaign_id=campaign.id))
    return await stack.read(post.id)


async def change(stack: Stack, campaign: Campaign, **values: Any) -> None:
    """Change a campaign's row, so that its workflow is told."""
    values |= {"version": Campaign.version + 1, "next_delivery_at": None}
    async with stack.api_database.transaction() as session:
        await session.execute(update(Campaign).where(Campaign.id == campaign.id).values(values))


def campaign_handle(stack: Stack, campaign: Campaign) -> WorkflowHandle[Any, Any]:
    """Return the handle of a campaign's workflow."""
    return stack.client.get_workflow_handle(campaign.id)


async def comes_to(stack: Stack, campaign: Campaign, is_so: Callable[[CampaignState], bool]) -> CampaignState:
    """Wait until the workflow of a campaign reports such a state."""
    async with asyncio.timeout(60):
        while True:
            await tell(stack)
            state = await _state(stack, campaign)
            if state is not None and is_so(state):
                return state
            await asyncio.sleep(0.1)


async def tell(stack: Stack) -> None:
    """Let the workflows of campaigns that changed read them, as a worker's round does."""
    await tell_campaigns(stack.worker_database, CampaignWorkflows(stack.client))


async def _state(stack: Stack, campaign: Campaign) -> CampaignState | None:
    try:
        return await campaign_handle(stack, campaign).query(CampaignWorkflow.status)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
