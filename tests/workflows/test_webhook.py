"""The workflow of an endpoint: rounds while something waits, signals, and its text in the Web UI."""

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import Worker

from activities.options import WEBHOOKS_QUEUE
from activities.webhooks import DeliverCommand, DeliveryRound
from domain.ids import new_id
from domain.webhooks import WebhookStatus
from tests.stack import Stack
from workflows.client.campaign_workflows import wake_webhook
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
