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
from typing import Any

import httpx

from benchmarks.processes import answer, cpu_seconds, parts_of, program
from benchmarks.stack import stack

CALLERS = 16
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


def our_calls(http: httpx.AsyncClient, accounts: list[dict[str, Any]]) -> tuple[Call, Call, Call]:
    """Return our calls: a scheduled create, and a publishNow to two platforms as text and with a picture."""
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


async def compare(name: str, ours: Side, baseline: Side, count: int, rounds: int) -> bool:
    """Print the medians of both, their ratio and their costs; return whether the goal is met."""
    for side in (baseline, ours):
        await side.rate(CALLERS)
    for _ in range(rounds):
        await baseline.measure(count)
        await ours.measure(count)
        await asyncio.sleep(1)
    ratios = sorted(mine / theirs for mine, theirs in zip(ours.rates, baseline.rates, strict=True))
    ratio = statistics.median(ratios)
    verdict = "ok" if ratio >= GOAL else "BELOW"
    print(
        f"{name:<34} {statistics.median(ours.rates):>8.1f}/s  bare {statistics.median(baseline.rates):>8.1f}/s  "
        f"ratio {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})  goal {GOAL}: {verdict}\n"
        f"    ms of one core a call: {ours.costs()}\n"
        f"                     bare: {baseline.costs()}"
    )
    return ratio >= GOAL


@asynccontextmanager
async def bare_sides(dev: dict[str, Any]) -> AsyncIterator[Callable[[str], Side]]:
    """Run the bare worker and client; yield a function that makes the side of a kind of call."""
    address = dev["temporalAddress"]
    async with (
        program("benchmarks.baseline", "worker", address) as worker,
        program("benchmarks.baseline", "client", address) as client,
    ):
        pids = {"temporal": parts_of(dev)["temporal"], "worker": worker.pid, "client": client.pid}

        def side(kind: str) -> Side:
            async def rate_of(count: int) -> float:
                return count / float(await answer(client, f"{kind} {count} {CALLERS}"))

            return Side(rate_of, pids)

        yield side


async def run(count: int, rounds: int) -> bool:
    """Run all comparisons on a fresh stack."""
    async with stack() as dev, bare_sides(dev) as baseline:
        headers = {"Authorization": f"Bearer {dev['apiKey']}"}
        limits = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
        async with httpx.AsyncClient(base_url=dev["apiUrl"], headers=headers, limits=limits, timeout=60) as http:
            pids = {**parts_of(dev), "callers": os.getpid()}

            def ours(call: Call) -> Side:
                return Side(lambda count: rate(call, count), pids)

            create, text, picture = our_calls(http, dev["accounts"])
            print(f"{CALLERS} callers, {rounds} rounds, {os.cpu_count()} cores; medians")
            return all(
                [
                    await compare("scheduled create : start", ours(create), baseline("start"), count, rounds),
                    await compare("publishNow, text : update", ours(text), baseline("publish"), count // 4, rounds),
                    await compare(
                        "publishNow, picture : update", ours(picture), baseline("publish"), count // 4, rounds
                    ),
                ]
            )


def main() -> None:
    """Parse the command line, run, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=400, help="creates in a round; a quarter of it is published")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    reached = asyncio.run(run(arguments.count, arguments.rounds))
    gc.collect()
    raise SystemExit(0 if reached else 1)


if __name__ == "__main__":
    main()
