"""Scenarios of campaigns' workflows."""

from datetime import UTC, datetime, timedelta

from domain.campaigns import CampaignStatus, PauseRequest, ResumeRequest
from domain.pauses import MissedPolicy
from store.campaigns.campaigns import lock_campaign
from store.campaigns.pausing import pause_campaign
from tests.stack import Stack
from tests.workflows.campaigns import campaign_handle, change, comes_to, save_campaign, save_post
from tests.workflows.long_scenarios import SHORT, continues_as_new
from tests.workflows.scenarios import WORDS, Handle, scenario, scenario_on
from workflows.campaign import CampaignWorkflow


@scenario
async def campaign_paused_and_resumed(stack: Stack) -> Handle:
    campaign = await save_campaign(stack, "the autumn sale")
    await comes_to(stack, campaign, lambda _: True)
    handle = campaign_handle(stack, campaign)
    await handle.signal(CampaignWorkflow.pause, PauseRequest(reason="a mistake"))
    await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.PAUSED)
    post = await save_post(stack, campaign, f"{WORDS} an autumn sale", timedelta(0))
    await handle.signal(CampaignWorkflow.look)
    await comes_to(stack, campaign, lambda state: state.missed == 1)
    await handle.signal(CampaignWorkflow.resume, ResumeRequest())
    await handle.signal(CampaignWorkflow.resume, ResumeRequest(missed=MissedPolicy.SKIP))
    await comes_to(stack, campaign, lambda state: state.skipped == 1)
    await stack.delete(await stack.read(post.id))
    return handle


@scenario
async def campaign_resumed_at_its_time_and_ended(stack: Stack) -> Handle:
    campaign = await save_campaign(stack, "the winter sale")
    await comes_to(stack, campaign, lambda _: True)
    async with stack.api_database.transaction() as session:
        locked = await lock_campaign(session, campaign.workspace_id, campaign.id)
        assert locked is not None
        resume_at = datetime.now(UTC) + timedelta(seconds=3)
        await pause_campaign(session, locked, None, await stack.actor(), resume_at=resume_at, missed=MissedPolicy.SKIP)
    await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.PAUSED)
    await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.ACTIVE)
    await change(stack, campaign, status=CampaignStatus.ENDED)
    await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.ENDED)
    return campaign_handle(stack, campaign)


@scenario_on(longest_history=SHORT)
async def campaign_read_often(stack: Stack) -> Handle:
    campaign = await save_campaign(stack, "the endless sale")
    await comes_to(stack, campaign, lambda _: True)
    handle = campaign_handle(stack, campaign)
    await continues_as_new(handle, lambda: handle.signal(CampaignWorkflow.look))
    return handle


@scenario
async def campaign_deleted(stack: Stack) -> Handle:
    campaign = await save_campaign(stack, "the spring sale")
    await comes_to(stack, campaign, lambda _: True)
    async with stack.database.transaction() as session:
        await session.delete(await session.merge(campaign))
    handle = campaign_handle(stack, campaign)
    await handle.signal(CampaignWorkflow.look)
    await handle.result()
    return handle
