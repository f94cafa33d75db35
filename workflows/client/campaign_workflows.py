"""The workflows of campaigns and of endpoints: each is told to look at its rows, and started if none runs."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from activities.options import BACKGROUND, POSTS_QUEUE, WEBHOOKS_QUEUE
from domain.campaigns import CampaignPlan
from domain.temporal_limits import LONGEST_FAIRNESS_KEY
from workflows.campaign import CampaignWorkflow
from workflows.client.failures import answering
from workflows.search_attributes import CAMPAIGN, WORKSPACE
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


class CampaignWorkflows:
    """The workflows of campaigns. A campaign's id is that of its workflow."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tell(self, plan: CampaignPlan) -> None:
        """Let the workflow of a campaign read it now; if none runs, start one. Raises Unavailable."""
        async with answering(_TIMEOUT.total_seconds()):
            await self._client.start_workflow(
                CampaignWorkflow.run,
                plan,
                id=plan.campaign_id,
                task_queue=POSTS_QUEUE,
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(WORKSPACE, plan.workspace_id),
                        SearchAttributePair(CAMPAIGN, plan.campaign_id),
                    ]
                ),
                static_summary=f"campaign {plan.campaign_id}",
                priority=Priority(priority_key=BACKGROUND, fairness_key=plan.workspace_id[:LONGEST_FAIRNESS_KEY]),
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                start_signal="look",
                rpc_timeout=_TIMEOUT,
            )
