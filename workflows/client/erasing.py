"""Deletion of all runs of a workspace's workflows, open and closed, with their histories."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workflows.client.failures import answering, is_not_found
from workflows.search_attributes import WORKSPACE
from workflows.webhook import webhook_workflow_id

_TIMEOUT = timedelta(seconds=10)
_PAGE = 500
_CONCURRENCY = 16


async def delete_runs(client: Client, workspace_id: str) -> int:
    """Delete the runs of posts and campaigns that Temporal lists; return how many there were. Raises Unavailable.

    An open run is terminated first. The list is seconds late: call it until it returns 0. The rows must be deleted
    before: a step that runs meanwhile finds no row, and sends nothing.
    """
    query = f"{WORKSPACE.name} = '{workspace_id}'"
    pages = client.list_workflows(query, page_size=_PAGE, rpc_timeout=_TIMEOUT)
    number = 0
    while True:
        async with answering(_TIMEOUT.total_seconds()):
            await pages.fetch_next_page()
        runs = [WorkflowExecution(workflow_id=run.id, run_id=run.run_id) for run in pages.current_page or ()]
        await _delete(client, runs)
        number += len(runs)
        if not pages.next_page_token:
            return number


async def delete_webhook_runs(client: Client, workspace_id: str, webhook_ids: Iterable[str]) -> None:
    """Delete the latest runs of endpoints' workflows. Raises Unavailable."""
    ids = (webhook_workflow_id(workspace_id, webhook_id) for webhook_id in webhook_ids)
    await _delete(client, [WorkflowExecution(workflow_id=workflow_id) for workflow_id in ids])


async def _delete(client: Client, runs: Iterable[WorkflowExecution]) -> None:
    slots = asyncio.Semaphore(_CONCURRENCY)

    async def delete_run(run: WorkflowExecution) -> None:
        request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=run)
        async with slots, answering(_TIMEOUT.total_seconds()):
            try:
                await client.workflow_service.delete_workflow_execution(request)
            except RPCError as error:
                if not is_not_found(error):
                    raise

    await asyncio.gather(*map(delete_run, runs))
