"""Abuse a running API and measure what a bystander notices: `uv run python -m benchmarks.abuse`.

One hostile workspace and clients without a key call a stack of its own, one kind of abuse after the other. Meanwhile
another workspace reads its posts and publishes. The benchmark fails if an answer is a server error, or if the
bystander waits too long.

A full run makes more than 10,000 calls, --short some 1,300 in some two minutes.
"""

import argparse
import asyncio
import gc
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from benchmarks.abuse.answers import hostile_answers
from benchmarks.abuse.bodies import hostile_json, hostile_texts
from benchmarks.abuse.connections import half_requests, hostile_heads
from benchmarks.abuse.memory import Memory, listener
from benchmarks.abuse.reads import hostile_cursors, large_pages, wrong_keys
from benchmarks.abuse.slow_media import PLATFORM, workspace_with_account
from benchmarks.abuse.target import Tally, Target
from benchmarks.abuse.unread import openapi_flood, repeats, unread_media, unread_pages
from benchmarks.stack import stack
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
    "unread media": (unread_media, 300, 60),
    "unread pages": (unread_pages, 300, 60),
    "openapi.json": (openapi_flood, 5_000, 500),
    "repeats": (repeats, 900, 100),
}
"""The kinds of abuse, and how often each is done in the full and in the short form."""

MOST_MS = 250.0
"""The limit for 99 of 100 requests of a bystander."""
MOST_S = 2.0
"""The limit for a bystander's publishNow."""
_EVERY_S = 0.05
_COLUMNS = (
    "abuse",
    "calls",
    "answers",
    "bystander's reads",
    "median",
    "p99",
    "worst",
    "publishes",
    "memory",
    "seconds",
)


@dataclass(slots=True)
class Bystander:
    """Another workspace's client, which reads its posts and publishes during the abuse."""

    url: str
    key: str
    account_id: str
    took_ms: list[float] = field(default_factory=list)
    published_s: list[float] = field(default_factory=list)
    failed: int = 0

    async def act(self) -> None:
        """Read and publish until cancelled."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60, trust_env=False) as client:
            await asyncio.gather(self._read(client), self._publish(client))

    async def _read(self, client: httpx.AsyncClient) -> None:
        while True:
            began = time.perf_counter()
            try:
                self.failed += (await client.get("/v1/posts?limit=5")).status_code != 200
            except httpx.TransportError:
                self.failed += 1
            self.took_ms.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(_EVERY_S)

    async def _publish(self, client: httpx.AsyncClient) -> None:
        targets = [{"platform": PLATFORM, "accountId": self.account_id}]
        while True:
            body = {"content": f"meanwhile {uuid.uuid4()}", "platforms": targets, "publishNow": True}
            began = time.perf_counter()
            try:
                self.failed += (await client.post("/v1/posts", json=body)).json().get("status") != "published"
            except httpx.TransportError:
                self.failed += 1
            self.published_s.append(time.perf_counter() - began)
            await asyncio.sleep(0.5)

    def p99(self) -> float:
        """Return the 99th percentile of the reads, in milliseconds."""
        return statistics.quantiles(self.took_ms, n=100, method="inclusive")[98] if len(self.took_ms) > 1 else 0.0


async def abuse(kinds: list[str], *, short: bool) -> bool:
    """Run the kinds of abuse and print the outcome of each; return whether all goals are met."""
    right = True
    port = free_port()
    async with stack({"SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS": f"{HOST}:{port}"}) as dev:
        key, account_id = await workspace_with_account(dev, "bystander")
        target, api = Target(dev, port), listener(urlsplit(dev["apiUrl"]).port or 0)
        print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
        try:
            for kind in kinds:
                attack, whole, few = KINDS[kind]
                tally, bystander, memory = Tally(), Bystander(dev["apiUrl"], key, account_id), Memory(api)
                tasks, began = (
                    [asyncio.create_task(bystander.act()), asyncio.create_task(memory.watch())],
                    time.monotonic(),
                )
                await asyncio.sleep(0.5)
                await attack(target, few if short else whole, tally)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                answers = ", ".join(f"{count} x {status}" for status, count in sorted(tally.statuses.items()))
                slowest = max(bystander.published_s, default=0.0)
                middle, worst = statistics.median(bystander.took_ms), max(bystander.took_ms)
                print(
                    f"| {kind} | {tally.calls} | {answers} | {len(bystander.took_ms)} | {middle:.0f} ms "
                    f"| {bystander.p99():.0f} ms | {worst:.0f} ms | {len(bystander.published_s)}, "
                    f"at most {slowest:.1f} s | +{memory.grown:.0f} MiB | {time.monotonic() - began:.0f} |",
                    flush=True,
                )
                for sentence in tally.missed:
                    print(f"MISSED: {sentence}", flush=True)
                right &= not tally.missed and not tally.broken and not bystander.failed
                right &= bystander.p99() <= MOST_MS and slowest <= MOST_S
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
