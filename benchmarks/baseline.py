"""The least that Temporal itself must do for a post, to which our throughput is compared.

Its worker and its client are separate processes, as ours are: `python -m benchmarks.baseline worker|client ADDRESS`.
The client reads lines such as `publish 100 16` (how many calls, by how many callers) and prints their seconds.
"""

import asyncio
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

from temporalio import activity, workflow
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

QUEUE = "bare"
_WITHIN = timedelta(seconds=10)


@activity.defn
async def nothing(number: int) -> int:
    """Do nothing, in place of a platform's step."""
    return number


@workflow.defn
class BareSleep:
    """A workflow that sleeps for an hour, as a scheduled post does."""

    @workflow.run
    async def run(self) -> None:
        """Sleep."""
        await workflow.sleep(timedelta(hours=1))


@workflow.defn
class BarePublish:
    """A workflow that runs two activities concurrently, as a post to two platforms does."""

    def __init__(self) -> None:
        self._results: list[int] | None = None

    @workflow.run
    async def run(self) -> list[int]:
        """Run both activities."""
        self._results = await asyncio.gather(
            *(workflow.execute_activity(nothing, number, start_to_close_timeout=_WITHIN) for number in range(2))
        )
        return self._results

    @workflow.update
    async def outcome(self) -> list[int]:
        """Wait for both."""
        await workflow.wait_condition(lambda: self._results is not None)
        return self._results or []


@workflow.defn
class BareDue:
    """A workflow that sleeps until a time and runs two activities concurrently, as a scheduled post does."""

    @workflow.run
    async def run(self, due: str) -> None:
        """Sleep, then run both activities."""
        await workflow.sleep(max(datetime.fromisoformat(due) - workflow.now(), timedelta(0)))
        await asyncio.gather(
            *(workflow.execute_activity("late", due, start_to_close_timeout=_WITHIN) for _ in range(2))
        )


async def _start(client: Client) -> None:
    await client.start_workflow(BareSleep.run, id=f"bare-{uuid.uuid4()}", task_queue=QUEUE)


async def _publish(client: Client) -> None:
    operation = WithStartWorkflowOperation(
        BarePublish.run,
        id=f"bare-{uuid.uuid4()}",
        task_queue=QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    await client.execute_update_with_start_workflow(BarePublish.outcome, start_workflow_operation=operation)


async def lines() -> asyncio.StreamReader:
    """Yield the lines of the standard input."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _work(client: Client) -> None:
    async with Worker(client, task_queue=QUEUE, workflows=[BareSleep, BarePublish], activities=[nothing]):
        print("ready", flush=True)
        await (await lines()).read()


async def _call(client: Client) -> None:
    print("ready", flush=True)
    async for line in await lines():
        kind, count, callers = line.decode().split()
        numbers = iter(range(int(count)))

        async def caller(kind: str, numbers: Iterator[int]) -> None:
            for _ in numbers:
                await (_start if kind == "start" else _publish)(client)

        began = time.perf_counter()
        await asyncio.gather(*(caller(kind, numbers) for _ in range(int(callers))))
        print(time.perf_counter() - began, flush=True)


async def _run(role: str, address: str) -> None:
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    await (_work if role == "worker" else _call)(client)


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:3]))
