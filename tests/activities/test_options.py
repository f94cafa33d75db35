"""Retries of an activity by Temporal."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities import options
from tests.stack import Stack

WAITS = 10


@activity.defn
async def wait_often_then_die() -> None:
    """Fail WAITS times as a step that waits for its rate limit, then as a step whose worker is killed."""
    if activity.info().attempt <= WAITS:
        raise ApplicationError("not yet", next_retry_delay=timedelta(milliseconds=1))
    await asyncio.sleep(60)


@workflow.defn
class Waiting:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            wait_often_then_die,
            schedule_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(seconds=1),
            retry_policy=options.RETRY_POLICY,
        )


@pytest.fixture
async def workflow_id(stack: Stack) -> AsyncIterator[str]:
    name = f"waiting-{secrets.token_hex(4)}"
    async with Worker(
        stack.client,
        task_queue=name,
        workflows=[Waiting],
        activities=[wait_often_then_die],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await stack.client.start_workflow(Waiting.run, id=name, task_queue=name)
        yield name
        await handle.terminate()


@pytest.mark.thorough
async def test_step_is_repeated_within_a_minute_after_a_worker_crash(stack: Stack, workflow_id: str) -> None:
    handle = stack.client.get_workflow_handle(workflow_id)
    async with asyncio.timeout(60):
        while True:
            (pending,) = (await handle.describe()).raw_description.pending_activities or [None]
            if pending and pending.attempt > WAITS + 1 and pending.HasField("next_attempt_schedule_time"):
                break
            await asyncio.sleep(0.2)
    wait = pending.next_attempt_schedule_time.ToDatetime(UTC) - datetime.now(UTC)
    assert wait < timedelta(seconds=75)
