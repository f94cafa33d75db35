"""The least that Temporal itself must do for a post: workflows and activities that touch no database and no platform.

`python -m benchmarks.speed.bare worker|client ADDRESS` runs the SDK with its defaults. The client answers lines such as
`publish 100 16` (the call, how many, by how many callers) with the seconds that they took. The worker answers `times`
with the time of each activity that has run since `reset`.
"""

import asyncio
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta

from temporalio import activity, workflow
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from benchmarks.processes import input_lines
    from benchmarks.speed.measure import call_all

QUEUE = "bare"
_TIMEOUT = timedelta(seconds=10)


@workflow.defn
class BarePost:
    """A workflow that sleeps until a time and runs two empty activities concurrently, for two platforms."""

    def __init__(self) -> None:
        self._is_done = False

    @workflow.run
    async def run(self, due: datetime | None) -> None:
        """Sleep, then run both activities."""
        if due is not None:
            await workflow.sleep(max(due - workflow.now(), timedelta(0)))
        await asyncio.gather(*(workflow.execute_activity("nothing", start_to_close_timeout=_TIMEOUT) for _ in range(2)))
        self._is_done = True

    @workflow.update
    async def outcome(self) -> None:
        """Wait for both."""
        await workflow.wait_condition(lambda: self._is_done)


class Steps:
    """The activity, and when it has run."""

    def __init__(self) -> None:
        self.times: list[str] = []

    @activity.defn
    async def nothing(self) -> None:
        """Do nothing, in place of a platform's step."""
        self.times.append(datetime.now(UTC).isoformat())


async def schedule(client: Client, due: datetime) -> None:
    """Start a workflow that sleeps."""
    await client.start_workflow(BarePost.run, due, id=f"bare-{uuid.uuid4()}", task_queue=QUEUE)


async def _publish(client: Client) -> None:
    start = WithStartWorkflowOperation(
        BarePost.run,
        None,
        id=f"bare-{uuid.uuid4()}",
        task_queue=QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    await client.execute_update_with_start_workflow(BarePost.outcome, start_workflow_operation=start)


async def _work(client: Client) -> None:
    steps = Steps()
    async with Worker(client, task_queue=QUEUE, workflows=[BarePost], activities=[steps.nothing]):
        print("ready", flush=True)
        async for line in await input_lines():
            if line == b"reset\n":
                steps.times.clear()
            print(*steps.times, flush=True)


async def _call(client: Client) -> None:
    print("ready", flush=True)
    async for line in await input_lines():
        kind, count, callers, *due = line.decode().split()
        began = time.perf_counter()
        if kind == "publish":
            await call_all(lambda: _publish(client), int(count), int(callers))
        else:
            at = datetime.fromisoformat(due[0])
            await call_all(lambda: schedule(client, at), int(count), int(callers))  # noqa: B023 called in this round
        print(time.perf_counter() - began, flush=True)


async def _run(role: str, address: str) -> None:
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    await (_work if role == "worker" else _call)(client)


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:3]))
