"""Abuse a running API and measure what a bystander notices: `uv run python -m benchmarks.abuse`.

One hostile workspace and clients without a key call a stack of its own, one kind of abuse after the other. Meanwhile
another workspace reads its posts. The benchmark fails if an answer is a server error, or if the bystander waits too
long.

A full run makes more than 10,000 calls, --short some 600 in less than a minute.
"""

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from benchmarks.abuse.answers import hostile_answers
from benchmarks.abuse.bodies import hostile_json, hostile_texts
from benchmarks.abuse.connections import half_requests, hostile_heads
from benchmarks.abuse.reads import hostile_cursors, large_pages, wrong_keys
from benchmarks.abuse.target import Tally, Target
from benchmarks.stack import command, stack
from cli.stack.ports import HOST, free_port

Attack = Callable[[Target, int, Tally], Awaitable[None]]
KINDS: dict[str, tuple[Attack, int, int]] = {
    "worst texts": (hostile_texts, 1_500, 100),
    "worst JSON": (hostile_json, 1_000, 60),
    "heads": (hostile_heads, 2_500, 100),
    "half requests": (half_requests, 800, 60),
    "wrong keys": (wrong_keys, 2_500, 100),
    "large pages": (large_pages, 1_000, 60),
    "cursors": (hostile_cursors, 1_500, 120),
    "answers": (hostile_answers, 300, 100),
}
"""The kinds of abuse, and how often each is done in the full and in the short form."""

MOST_MS = 250.0
"""The limit for 99 of 100 requests of a bystander."""
_EVERY_S = 0.05
_COLUMNS = ("abuse", "calls", "answers", "bystander's reads", "median", "p99", "worst", "seconds")


@dataclass(slots=True)
class Bystander:
    """Another workspace's client, which reads its posts during the abuse."""

    url: str
    key: str
    took_ms: list[float] = field(default_factory=list)
    failed: int = 0

    async def read(self) -> None:
        """Read until cancelled."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60, trust_env=False) as client:
            while True:
                began = time.perf_counter()
                try:
                    self.failed += (await client.get("/v1/posts?limit=5")).status_code != 200
                except httpx.TransportError:
                    self.failed += 1
                self.took_ms.append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(_EVERY_S)

    def p99(self) -> float:
        """Return the 99th percentile of the reads, in milliseconds."""
        return statistics.quantiles(self.took_ms, n=100, method="inclusive")[98] if len(self.took_ms) > 1 else 0.0


async def abuse(kinds: list[str], *, short: bool) -> bool:
    """Run the kinds of abuse and print the outcome of each; return whether all goals are met."""
    right = True
    port = free_port()
    async with stack({"SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS": f"{HOST}:{port}"}) as dev:
        other = (await command(dev, "keys", "create", "--workspace", "bystander")).split()[-1]
        target = Target(dev, port)
        print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
        try:
            for kind in kinds:
                attack, whole, few = KINDS[kind]
                tally, bystander = Tally(), Bystander(dev["apiUrl"], other)
                reading, began = asyncio.create_task(bystander.read()), time.monotonic()
                await asyncio.sleep(0.5)
                await attack(target, few if short else whole, tally)
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                answers = ", ".join(f"{count} x {status}" for status, count in sorted(tally.statuses.items()))
                middle, worst = statistics.median(bystander.took_ms), max(bystander.took_ms)
                print(
                    f"| {kind} | {tally.calls} | {answers} | {len(bystander.took_ms)} | {middle:.0f} ms "
                    f"| {bystander.p99():.0f} ms | {worst:.0f} ms | {time.monotonic() - began:.0f} |",
                    flush=True,
                )
                for sentence in tally.missed:
                    print(f"MISSED: {sentence}", flush=True)
                right &= not tally.missed and not tally.broken and not bystander.failed and bystander.p99() <= MOST_MS
        finally:
            await target.close()
    return right


def main() -> None:
    """Parse the command line, run, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.abuse", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="a few calls of each kind")
    parser.add_argument("--only", choices=KINDS, action="append", help="a kind of abuse; all by default")
    arguments = parser.parse_args()
    right = asyncio.run(abuse(arguments.only or list(KINDS), short=arguments.short))
    gc.collect()
    print("No bystander noticed." if right else "Something is not as it must be.")
    raise SystemExit(0 if right else 1)


if __name__ == "__main__":
    main()
