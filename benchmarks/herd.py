"""Compare many posts that are due in one second with bare Temporal: `uv run python -m benchmarks.herd`.

Each post goes to two platforms. Bare is a workflow that sleeps and runs two empty activities, on the same Temporal. Its
worker is a process of its own with the SDK's defaults. Rounds of both alternate. The output says how late the targets
became public, by the clock of the fake platforms, and the processor time of each process for one post.
"""

import argparse
import asyncio
import gc
import json
import os
import uuid
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from benchmarks.baseline import QUEUE
from benchmarks.processes import answer, cpu_seconds, parts_of, program
from benchmarks.stack import stack
from benchmarks.targets import NextTarget, rate_limits, targets_on
from cli.stack.parts import WORKER_NICE

CALLERS = 16
PLATFORMS = ("twitter", "bluesky")
CREATES_PER_S = 40
"""A cautious estimate of how fast the posts are created; the due time is after that."""
_WITHIN = timedelta(minutes=3)


class Clocks:
    """The processor time that the parts of a stack have used since this object was created."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        return {part: cpu_seconds(pid) for part, pid in self._pids.items()}

    def describe(self, count: int) -> str:
        """Return the milliseconds that each part has used for one of `count` posts."""
        each = {part: (seconds - self._before[part]) / count * 1000 for part, seconds in self._now().items()}
        return ", ".join(f"{part} {ms:.1f}" for part, ms in each.items() if ms >= 1)


async def crowd(create: Callable[[datetime], Awaitable[None]], count: int) -> datetime:
    """Create `count` posts, CALLERS at a time; return the second in which all are due."""
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5 + count / CREATES_PER_S)
    numbers = iter(range(count))

    async def caller() -> None:
        for _ in numbers:
            await create(due)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    spare = (due - datetime.now(UTC)).total_seconds()
    if spare < 1:
        raise SystemExit(f"the posts were not created in time: {-spare:.0f} s after they were due")
    await asyncio.sleep(spare - 1)
    return due


def show(name: str, late: list[float], costs: str) -> None:
    """Print how late targets were, in seconds, and what one post cost."""
    late.sort()
    print(
        f"{name:<5} first {late[0]:.2f} s, median {late[len(late) // 2]:.2f} s, "
        f"p99 {late[int(len(late) * 0.99)]:.2f} s late, "
        f"{len(late) / late[-1]:.0f} targets/s; ms of a processor for a post: {costs}",
        flush=True,
    )


async def ours(
    http: httpx.AsyncClient, sandbox: httpx.AsyncClient, dev: dict[str, Any], next_target: NextTarget, count: int
) -> None:
    """Measure our posts."""

    async def create(due: datetime) -> None:
        key = str(uuid.uuid4())
        targets = [next_target(platform) for platform in PLATFORMS]
        body = {"content": key, "platforms": targets, "scheduledFor": due.isoformat()}
        (await http.post("/v1/posts", json=body, headers={"Idempotency-Key": key})).raise_for_status()

    due = await crowd(create, count)
    clocks, late = Clocks(parts_of(dev)), list[float]()
    while len(late) < count * len(PLATFORMS):
        if datetime.now(UTC) > due + _WITHIN:
            raise SystemExit(f"only {len(late)} targets became public")
        await asyncio.sleep(1)
        posts = (await sandbox.get("/_/posts", params={"limit": count * len(PLATFORMS)})).json()["posts"]
        seconds = ((datetime.fromisoformat(post["createdAt"]) - due).total_seconds() for post in posts)
        # Targets of the round before are older than any of this round can be.
        late = [second for second in seconds if second > -count / CREATES_PER_S]
    show("ours", late, clocks.describe(count))


async def baseline(client: Client, worker: Process, dev: dict[str, Any], count: int) -> None:
    """Measure bare workflows."""

    async def create(due: datetime) -> None:
        await client.start_workflow("BareDue", due.isoformat(), id=f"bare-{uuid.uuid4()}", task_queue=QUEUE)

    await crowd(create, count)
    clocks, late = Clocks({"temporal": parts_of(dev)["temporal"], "worker": worker.pid}), list[float]()
    while len(late) < count * len(PLATFORMS):
        late += json.loads(await answer(worker))
    show("bare", late, clocks.describe(count))


async def run(count: int, rounds: int, *, limited: bool) -> None:
    """Measure on a fresh stack."""
    async with stack(rate_limits(on=limited)) as dev:
        next_target = await targets_on(dev, PLATFORMS)
        headers = {"Authorization": f"Bearer {dev['apiKey']}"}
        client = await Client.connect(dev["temporalAddress"], data_converter=pydantic_data_converter)
        async with (
            httpx.AsyncClient(base_url=dev["apiUrl"], headers=headers, timeout=60) as http,
            httpx.AsyncClient(base_url=dev["sandboxUrl"], timeout=60) as sandbox,
            program("benchmarks.baseline_worker", dev["temporalAddress"], niceness=WORKER_NICE) as worker,
        ):
            print(
                f"{count} posts to {len(PLATFORMS)} platforms, rate limits {'on' if limited else 'off'}; "
                f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores"
            )
            for _ in range(rounds):
                await baseline(client, worker, dev, count)
                await ours(http, sandbox, dev, next_target, count)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=300, help="posts that are due in one second")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rate-limits", action="store_true", help="keep to the platforms' rate limits")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.count, arguments.rounds, limited=arguments.rate_limits))
    gc.collect()


if __name__ == "__main__":
    main()
