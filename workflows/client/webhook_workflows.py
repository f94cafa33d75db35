"""A client of endpoints' workflows."""

from datetime import timedelta

from temporalio.client import Client

from activities.options import WEBHOOKS_QUEUE
from workflows.client.failures import answering
from workflows.webhook import WebhookPlan, WebhookWorkflow, webhook_workflow_id

_TIMEOUT = timedelta(seconds=10)


async def wake_webhook(client: Client, workspace_id: str, webhook_id: str) -> None:
    """Let the workflow of an endpoint deliver what is due; start it if it does not run. Raises Unavailable."""
    async with answering(_TIMEOUT.total_seconds()):
        await client.start_workflow(
            WebhookWorkflow.run,
            WebhookPlan(workspace_id=workspace_id, webhook_id=webhook_id),
            id=webhook_workflow_id(workspace_id, webhook_id),
            task_queue=WEBHOOKS_QUEUE,
            start_signal="wake",
            static_summary=f"Events for {webhook_id}",
            rpc_timeout=_TIMEOUT,
        )
