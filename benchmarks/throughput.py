"""Compare our throughput with bare Temporal on the same server: `uv run python -m benchmarks.throughput`.

The program starts a development stack and stops it at the end. Rounds of both kinds alternate, so that a change of the
machine's speed affects both alike. The bare worker and the bare client are processes of their own with the SDK's
defaults; ours do not use its compression. The output shows each process's processor time for one call. The sandbox,
which stands for the platforms, uses the same cores.
"""

import argparse
import asyncio
import gc
import os
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from benchmarks.processes import answer, cpu_seconds, parts_of, program
from benchmarks.stack import stack
from benchmarks.targets import NextTarget, rate_limits, targets_on
from cli.stack.parts import WORKER_NICE

CALLERS = 16

Call = Callable[[int], Awaitable[None]]


async def rate(call: Call, count: int, callers: int) -> float:
    """Return how many calls a second some callers complete."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            await call(number)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return count / (time.perf_counter() - started)


def our_calls(http: httpx.AsyncClient, next_target: NextTarget) -> tuple[Call, Call, Call]:
    """Return our calls: a scheduled create, and a publishNow to two platforms as text and with a picture."""
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    async def post(body: dict[str, Any]) -> dict[str, Any]:
        answer = await http.post("/v1/posts", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()
        return result

    async def create(_: int) -> None:
        await post({"content": f"later {uuid.uuid4()}", "platforms": [next_target("twitter")], "scheduledFor": due})

    async def publish(platforms: list[str], **more: Any) -> None:
        targets = [next_target(platform) for platform in platforms]
        result = await post({"content": f"now {uuid.uuid4()}", "platforms": targets, "publishNow": True, **more})
        if result["status"] != "published":
            raise SystemExit(f"a post is {result['status']}: {result}")

    async def publish_text(_: int) -> None:
        await publish(["twitter", "bluesky"])

    async def publish_picture(_: int) -> None:
        picture = {"type": "image", "url": "https://example.com/photo.jpg"}
        await publish(["instagram", "twitter"], mediaItems=[picture])

    return create, publish_text, publish_picture


@dataclass(frozen=True, slots=True)
class Comparison:
    """A call of ours and the bare call to which it is compared. The goal is a ratio of rates, or of latencies."""

    name: str
    kind: str
    """The kind of the bare call."""
    goal: float
    share: float
    """The calls of a round, as a share of the creates."""
    callers: int = CALLERS

    @property
    def of_latency(self) -> bool:
        """Return whether one call follows the other, so that the ratio is that of their latencies."""
        return self.callers == 1


COMPARISONS = {
    "create": Comparison("scheduled create : start", "start", goal=1.0, share=1),
    "text": Comparison("publishNow, text : update", "publish", goal=0.85, share=0.25),
    "picture": Comparison("publishNow, picture : update", "publish", goal=0.7, share=0.25),
    "latency": Comparison("one publishNow, text : update", "publish", goal=0.4, share=0.1, callers=1),
}


@dataclass(slots=True)
class Side:
    """One of the two compared sides: its calls, its processes, and its measurements."""

    rate: Callable[[int], Awaitable[float]]
    pids: Mapping[str, int]
    rates: list[float] = field(default_factory=list)
    spent: dict[str, list[float]] = field(default_factory=dict)
    """Milliseconds of one core for a call, by process and round."""

    async def measure(self, count: int) -> None:
        """Make some calls, and record their rate and each process's time for one."""
        before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        self.rates.append(await self.rate(count))
        for name, pid in self.pids.items():
            self.spent.setdefault(name, []).append((cpu_seconds(pid) - before[name]) / count * 1000)

    def costs(self) -> str:
        """Return each process's time for a call, as text."""
        return ", ".join(f"{name} {statistics.median(spent):.1f}" for name, spent in self.spent.items())


async def compare(comparison: Comparison, ours: Side, baseline: Side, count: int, rounds: int) -> bool:
    """Print the medians of both, their ratio and their costs; return whether the goal is met."""
    count = round(count * comparison.share)
    for side in (baseline, ours):
        await side.rate(CALLERS)
    for _ in range(rounds):
        await baseline.measure(count)
        await ours.measure(count)
        await asyncio.sleep(1)
    ratios = sorted(
        theirs / mine if comparison.of_latency else mine / theirs
        for mine, theirs in zip(ours.rates, baseline.rates, strict=True)
    )
    ratio, goal = statistics.median(ratios), comparison.goal
    reached = ratio <= goal if comparison.of_latency else ratio >= goal
    print(
        f"{comparison.name:<30} {_shown(comparison, ours)}  bare {_shown(comparison, baseline)}  ratio {ratio:.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f})  goal {goal}: {'ok' if reached else 'MISSED'}\n"
        f"    ms of one core a call: {ours.costs()}\n"
        f"                     bare: {baseline.costs()}",
        flush=True,
    )
    return reached


def _shown(comparison: Comparison, side: Side) -> str:
    rate = statistics.median(side.rates)
    return f"{1000 / rate:>8.1f} ms" if comparison.of_latency else f"{rate:>8.1f}/s"


@asynccontextmanager
async def bare_sides(dev: dict[str, Any]) -> AsyncIterator[Callable[[Comparison], Side]]:
    """Run the bare worker and client; yield a function that makes the bare side of a comparison."""
    address = dev["temporalAddress"]
    async with (
        program("benchmarks.baseline", "worker", address, niceness=WORKER_NICE) as worker,
        program("benchmarks.baseline", "client", address) as client,
    ):
        pids = {"temporal": parts_of(dev)["temporal"], "worker": worker.pid, "client": client.pid}

        def side(comparison: Comparison) -> Side:
            async def rate_of(count: int) -> float:
                return count / float(await answer(client, f"{comparison.kind} {count} {comparison.callers}"))

            return Side(rate_of, pids)

        yield side


async def run(names: list[str], count: int, rounds: int, *, limited: bool) -> bool:
    """Run some comparisons on a fresh stack; return whether all goals are met."""
    async with stack(rate_limits(on=limited)) as dev, bare_sides(dev) as baseline:
        next_target = await targets_on(dev, ("twitter", "bluesky", "instagram"))
        headers = {"Authorization": f"Bearer {dev['apiKey']}"}
        limits = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
        async with httpx.AsyncClient(base_url=dev["apiUrl"], headers=headers, limits=limits, timeout=60) as http:
            pids = {**parts_of(dev), "callers": os.getpid()}
            create, text, picture = our_calls(http, next_target)
            calls = {"create": create, "text": text, "picture": picture, "latency": text}
            print(
                f"{CALLERS} callers, {rounds} rounds, rate limits {'on' if limited else 'off'}; "
                f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores; medians"
            )
            reached = []
            for name in names:
                comparison = COMPARISONS[name]
                ours = Side(partial(rate, calls[name], callers=comparison.callers), pids)
                reached.append(await compare(comparison, ours, baseline(comparison), count, rounds))
            return all(reached)


def main() -> None:
    """Parse the command line, run, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=COMPARISONS, default=list(COMPARISONS), help="some comparisons")
    parser.add_argument("--count", type=int, default=400, help="creates in a round; a quarter of it is published")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate-limits", action="store_true", help="keep to the platforms' rate limits")
    arguments = parser.parse_args()
    reached = asyncio.run(run(arguments.only, arguments.count, arguments.rounds, limited=arguments.rate_limits))
    gc.collect()
    raise SystemExit(0 if reached else 1)


if __name__ == "__main__":
    main()
