"""Tasks of workflows on a machine that is too busy for them."""

import secrets
import time

import pytest
from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from runtime.worker import let_compute
from tests.stack import Stack
from tests.workflows.waiting import events


@workflow.defn
class Slow:
    """A workflow whose only task gets no processor for a while."""

    @workflow.run
    async def run(self) -> str:
        time.sleep(2.5)  # noqa: ASYNC251 its thread stands still
        return "done"


@pytest.mark.thorough
async def test_a_task_without_a_processor_does_not_fail(stack: Stack) -> None:
    queue = f"slow-{secrets.token_hex(4)}"
    slow = Worker(stack.client, task_queue=queue, workflows=[Slow], workflow_runner=UnsandboxedWorkflowRunner())
    async with let_compute(slow):
        handle = await stack.client.start_workflow(Slow.run, id=queue, task_queue=queue)
        assert await handle.result() == "done"
    assert await events(handle, "workflow_task_failed_event_attributes") == []


def test_a_group_of_workers_lets_its_workflows_compute(stack: Stack) -> None:
    limits = [worker._workflow_worker._deadlock_timeout_seconds for worker in stack.workers if worker._workflow_worker]
    assert limits == [10, 10]
