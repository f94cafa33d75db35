"""The workflows of campaigns and of endpoints. No post depends on one."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import Worker

from activities.options import WEBHOOKS_QUEUE
from activities.webhooks import DeliverCommand, DeliveryRound
from domain.campaigns import Blackout, CampaignStatus, OperationKind, PauseRequest, ResumeRequest
from domain.ids import new_id
from domain.pauses import MissedPolicy
from domain.post import PostStatus, TargetStatus
from domain.transitions import BeforeSend, paused
from domain.webhooks import WebhookStatus
from reconcile.campaigns import start_lost_campaigns
from store.campaigns.campaigns import lock_campaign
from store.campaigns.operations import list_operations
from store.campaigns.pausing import pause_campaign
from store.models import Campaign, Post
from store.publishing.sending import settle
from store.rows import find_row
from tests.stack import Stack
from tests.workflows.campaigns import campaign_handle, change, comes_to, save_campaign, save_post, tell
from tests.workflows.test_held import comes_to_be
from workflows.campaign import CampaignWorkflow, campaign_details
from workflows.client.campaign_workflows import CampaignWorkflows, wake_webhook
from workflows.client.runs import Runs
from workflows.webhook import WebhookWorkflow, details, webhook_workflow_id


async def test_rounds_follow_what_is_due_and_signals(alone: Stack) -> None:
    webhook_id = new_id("wh")
    commands: list[DeliverCommand] = []
    far, soon = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC)
    rounds = iter([far, soon, far, far, None])
    taken = asyncio.Event()

    @activity.defn
    async def deliver_events(command: DeliverCommand) -> DeliveryRound:
        commands.append(command)
        taken.set()
        next_at = next(rounds)
        return DeliveryRound(exists=next_at is not None, next_at=next_at, waiting=1)

    async def next_round() -> None:
        async with asyncio.timeout(60):
            await taken.wait()
        taken.clear()

    async with Worker(
        alone.client, task_queue=WEBHOOKS_QUEUE, workflows=[WebhookWorkflow], activities=[deliver_events]
    ):
        await wake_webhook(alone.client, "ws_1", webhook_id)
        await next_round()
        handle = alone.client.get_workflow_handle(webhook_workflow_id("ws_1", webhook_id))
        # A second wake meets the run that sleeps.
        await wake_webhook(alone.client, "ws_1", webhook_id)
        await next_round()
        # An event that is due soon needs no signal.
        await next_round()
        await handle.signal(WebhookWorkflow.resume)
        await next_round()
        await handle.signal(WebhookWorkflow.redeliver)
        await next_round()
        await handle.result()
        described = await handle.describe()
    assert described.status is WorkflowExecutionStatus.COMPLETED
    assert [command.probes_now for command in commands] == [False, False, False, True, False]
    assert [command.redelivers for command in commands] == [False, False, False, False, True]


def test_the_web_ui_says_what_waits_and_why() -> None:
    state = DeliveryRound(
        exists=True,
        next_at=datetime(2030, 12, 3, 9, 37, tzinfo=UTC),
        waiting=312,
        status=WebhookStatus.FAILING,
        failing_since=datetime(2030, 12, 3, 9, 2, tzinfo=UTC),
        last_failure="it answered 503",
    )
    assert details(state) == (
        "312 waiting, failing since 2030-12-03 09:02 UTC (it answered 503), next try 2030-12-03 09:37 UTC"
    )


@pytest.fixture
async def campaign(stack: Stack) -> Campaign:
    return await save_campaign(stack, "Black `Friday`")


async def row(stack: Stack, campaign: Campaign) -> Campaign:
    async with stack.database.reading() as session:
        stored = await find_row(session, Campaign, campaign.workspace_id, campaign.id)
    assert stored is not None
    return stored


async def test_a_campaign_is_shown_with_its_posts(stack: Stack, campaign: Campaign) -> None:
    post = await save_post(stack, campaign, "shown in a campaign", timedelta(hours=2))
    state = await comes_to(stack, campaign, lambda state: state.total == 1)
    assert (state.name, state.status, state.open_posts) == ("Black `Friday`", CampaignStatus.ACTIVE, 1)
    assert [next_post.post_id for next_post in state.next_posts] == [post.id]
    description = await campaign_handle(stack, campaign).describe()
    attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    expected = {"Workspace": stack.workspace_id, "Campaign": campaign.id, "CampaignStatus": "active"}
    assert attributes | expected == attributes
    text = campaign_details(state, None)
    assert "**active**: still to be published: 1." in text
    assert "`` Black `Friday` ``" in text
    await stack.delete(post)


async def test_operators_pause_and_resume_by_signals(stack: Stack, campaign: Campaign) -> None:
    await comes_to(stack, campaign, lambda _: True)
    handle = campaign_handle(stack, campaign)
    await handle.signal(CampaignWorkflow.pause, PauseRequest(reason="a mistake"))
    state = await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.PAUSED)
    assert (state.reason, (await row(stack, campaign)).status) == ("a mistake", "paused")
    post = await save_post(stack, campaign, "missed by an operator's pause")
    await stack.start(post)
    await comes_to_be(stack, post.id, TargetStatus.HELD)
    await handle.signal(CampaignWorkflow.look)
    await comes_to(stack, campaign, lambda state: state.missed == 1)
    await handle.signal(CampaignWorkflow.resume, ResumeRequest())
    await asyncio.sleep(0.5)
    assert (await row(stack, campaign)).status == "paused", "nothing is guessed about missed posts"
    await handle.signal(CampaignWorkflow.resume, ResumeRequest(missed=MissedPolicy.PUBLISH))
    await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.ACTIVE)
    async with stack.database.reading() as session:
        operations = await list_operations(session, campaign.workspace_id, 9, campaign_id=campaign.id)
    assert [(line.kind, line.actor_type) for line in operations] == [
        (OperationKind.RESUMED, "operator"),
        (OperationKind.PAUSED, "operator"),
    ]
    await stack.deliver(await stack.read(post.id))
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED


async def test_a_pause_ends_at_its_time(stack: Stack, campaign: Campaign) -> None:
    await comes_to(stack, campaign, lambda _: True)
    async with stack.api_database.transaction() as session:
        locked = await lock_campaign(session, campaign.workspace_id, campaign.id)
        assert locked is not None
        resume_at = datetime.now(UTC) + timedelta(seconds=3)
        actor = await stack.actor()
        await pause_campaign(session, locked, None, actor, resume_at=resume_at, missed=MissedPolicy.SKIP)
    await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.PAUSED)
    await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.ACTIVE)
    changed = await row(stack, campaign)
    assert (changed.resume_at, changed.resume_missed) == (None, None)


async def test_a_campaign_ends_at_its_time(stack: Stack, campaign: Campaign) -> None:
    post = await save_post(stack, campaign, "after the end", timedelta(hours=2))
    await comes_to(stack, campaign, lambda state: state.total == 1)
    await change(stack, campaign, ends_at=datetime.now(UTC) + timedelta(seconds=2))
    state = await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.ENDED)
    assert (state.open_posts, state.skipped) == (0, 1)
    assert (await stack.read(post.id)).skip_reason == "campaign_ended"
    async with asyncio.timeout(60):
        await campaign_handle(stack, campaign).result()


async def test_a_resumption_that_would_move_posts_into_a_blackout_leaves_the_pause(
    stack: Stack, campaign: Campaign
) -> None:
    days = [(datetime.now(UTC) + timedelta(days=day)).date() for day in (0, 30)]
    blackout = Blackout(days[0], days[1])
    post = await save_post(stack, campaign, "no day is free")
    async with stack.api_database.transaction() as session:
        values = {"scheduled_for": post.due_at, "status": "publishing"}
        await session.execute(update(Post).where(Post.id == post.id).values(values))
        locked = await lock_campaign(session, campaign.workspace_id, campaign.id)
        assert locked is not None
        locked.blackouts = [blackout.as_json()]
        resume_at = datetime.now(UTC) + timedelta(seconds=1)
        actor = await stack.actor()
        await pause_campaign(session, locked, None, actor, resume_at=resume_at, missed=MissedPolicy.SHIFT)
    await settle(stack.database, post.targets[0].id, BeforeSend(None), paused())
    await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.PAUSED and state.resume_at is not None)
    state = await comes_to(stack, campaign, lambda state: state.resume_at is None)
    assert (state.status, state.missed) == (CampaignStatus.PAUSED, 1)
    await campaign_handle(stack, campaign).signal(CampaignWorkflow.resume, ResumeRequest(missed=MissedPolicy.SKIP))
    await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.ACTIVE)


async def test_a_lost_workflow_is_started_again(stack: Stack, campaign: Campaign) -> None:
    await comes_to(stack, campaign, lambda _: True)
    handle = campaign_handle(stack, campaign)
    await handle.terminate("by mistake")
    workflows, runs = CampaignWorkflows(stack.client), Runs(stack.client)
    async with asyncio.timeout(60):
        while await runs.running_among([campaign.id]):  # noqa: ASYNC110 the list follows a moment later
            await asyncio.sleep(0.1)
    assert await start_lost_campaigns(stack.worker_database, workflows, runs) >= 1
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_it_completes_once_the_campaign_has_ended_and_no_post_is_open(stack: Stack, campaign: Campaign) -> None:
    post = await save_post(stack, campaign, "open at the end", timedelta(hours=2))
    await comes_to(stack, campaign, lambda state: state.open_posts == 1)
    await change(stack, campaign, status="ended")
    await comes_to(stack, campaign, lambda state: state.status is CampaignStatus.ENDED)
    await stack.delete(post)
    await change(stack, campaign)
    await tell(stack)
    async with asyncio.timeout(60):
        await campaign_handle(stack, campaign).result()


async def test_it_ends_if_the_campaign_is_deleted(stack: Stack, campaign: Campaign) -> None:
    await comes_to(stack, campaign, lambda _: True)
    async with stack.database.transaction() as session:
        await session.delete(await session.get_one(Campaign, campaign.id))
    await campaign_handle(stack, campaign).signal(CampaignWorkflow.look)
    async with asyncio.timeout(60):
        await campaign_handle(stack, campaign).result()
