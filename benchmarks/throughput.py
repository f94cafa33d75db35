"""Compare our throughput with bare Temporal on the same server: `uv run python -m benchmarks.throughput`.

A development stack is started for it and taken down again. Rounds of both kinds alternate, so that a machine whose
speed drifts treats both alike. The bare client and worker are as the SDK makes them by default; ours go without its
compression.
"""

import argparse
import asyncio
import gc
import os
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from benchmarks.bare import BarePublish, BareSleep, nothing
from benchmarks.stack import stack

CALLERS = 16
QUEUE = "bare"
GOAL = 0.7

Call = Callable[[int], Awaitable[None]]


async def rate(call: Call, count: int) -> float:
    """Return how many calls a second CALLERS callers complete."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            await call(number)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return count / (time.perf_counter() - started)


def bare_calls(client: Client) -> tuple[Call, Call]:
    """Return the bare start of a sleeping workflow, and the bare update-with-start with two no-op activities."""

    async def start(_: int) -> None:
        await client.start_workflow(BareSleep.run, id=f"bare-{uuid.uuid4()}", task_queue=QUEUE)

    async def publish(_: int) -> None:
        operation = WithStartWorkflowOperation(
            BarePublish.run,
            id=f"bare-{uuid.uuid4()}",
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await client.execute_update_with_start_workflow(BarePublish.outcome, start_workflow_operation=operation)

    return start, publish


def our_calls(http: httpx.AsyncClient, accounts: list[dict[str, Any]]) -> tuple[Call, Call, Call]:
    """Return a scheduled create, and a publishNow to two networks as text and with a picture."""
    by_platform = {each["platform"]: each["accountId"] for each in reversed(accounts)}
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    def target(platform: str) -> dict[str, str]:
        return {"platform": platform, "accountId": by_platform[platform]}

    async def post(body: dict[str, Any]) -> dict[str, Any]:
        answer = await http.post("/v1/posts", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()
        return result

    async def create(_: int) -> None:
        await post({"content": f"later {uuid.uuid4()}", "platforms": [target("twitter")], "scheduledFor": due})

    async def publish(platforms: list[str], **more: Any) -> None:
        targets = [target(platform) for platform in platforms]
        result = await post({"content": f"now {uuid.uuid4()}", "platforms": targets, "publishNow": True, **more})
        if result["status"] != "published":
            raise SystemExit(f"a post is {result['status']}: {result}")

    async def publish_text(_: int) -> None:
        await publish(["twitter", "bluesky"])

    async def publish_picture(_: int) -> None:
        picture = {"type": "image", "url": "https://example.com/photo.jpg"}
        await publish(["instagram", "twitter"], mediaItems=[picture])

    return create, publish_text, publish_picture


async def compare(name: str, ours: Call, bare: Call, count: int, rounds: int) -> bool:
    """Print the medians of both and their ratio; tell whether the goal is met."""
    await rate(bare, CALLERS)
    await rate(ours, CALLERS)
    figures: list[tuple[float, float]] = []
    for _ in range(rounds):
        bare_rate = await rate(bare, count)
        figures.append((await rate(ours, count), bare_rate))
        await asyncio.sleep(1)
    ratios = sorted(mine / theirs for mine, theirs in figures)
    ratio = statistics.median(ratios)
    mine, theirs = (statistics.median(column) for column in zip(*figures, strict=True))
    verdict = "ok" if ratio >= GOAL else "BELOW"
    print(
        f"{name:<34} {mine:>8.1f}/s  bare {theirs:>8.1f}/s  ratio {ratio:.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f})  goal {GOAL}: {verdict}"
    )
    return ratio >= GOAL


async def run(count: int, rounds: int) -> bool:
    """Run both comparisons on a fresh stack."""
    async with stack() as dev:
        client = await Client.connect(dev["temporalAddress"], data_converter=pydantic_data_converter)
        headers = {"Authorization": f"Bearer {dev['apiKey']}"}
        limits = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
        async with (
            Worker(client, task_queue=QUEUE, workflows=[BareSleep, BarePublish], activities=[nothing]),
            httpx.AsyncClient(base_url=dev["apiUrl"], headers=headers, limits=limits, timeout=60) as http,
        ):
            bare_start, bare_publish = bare_calls(client)
            create, text, picture = our_calls(http, dev["accounts"])
            print(f"{CALLERS} callers, {rounds} rounds, {os.cpu_count()} cores; medians")
            return all(
                [
                    await compare("scheduled create : start", create, bare_start, count, rounds),
                    await compare("publishNow, text : update", text, bare_publish, count // 4, rounds),
                    await compare("publishNow, picture : update", picture, bare_publish, count // 4, rounds),
                ]
            )


def main() -> None:
    """Parse the command line, run, and exit with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=400, help="creates in a round; a quarter of it is published")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    reached = asyncio.run(run(arguments.count, arguments.rounds))
    gc.collect()
    raise SystemExit(0 if reached else 1)


if __name__ == "__main__":
    main()
