"""Run bare workflows that are due in a process of their own: `python -m benchmarks.baseline_worker ADDRESS`.

It prints `ready`, then lists of the seconds by which activities of `BareDue` ran after their time.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from benchmarks.baseline import QUEUE, BareDue, lines

_TELL_EVERY_S = 0.5


class Late:
    """The step of a bare post that is due; it records how late it runs."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    @activity.defn(name="late")
    async def note(self, due: str) -> None:
        """Record the time."""
        self.seconds.append((datetime.now(UTC) - datetime.fromisoformat(due)).total_seconds())


async def run(address: str) -> None:
    """Work until the standard input ends."""
    client, late = await Client.connect(address, data_converter=pydantic_data_converter), Late()
    async with Worker(client, task_queue=QUEUE, workflows=[BareDue], activities=[late.note]):
        print("ready", flush=True)
        ended = asyncio.create_task((await lines()).read())
        while not ended.done():
            await asyncio.wait({ended}, timeout=_TELL_EVERY_S)
            seconds, late.seconds = late.seconds, []
            if seconds:
                print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
