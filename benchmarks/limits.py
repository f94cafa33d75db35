"""The cost of limits of requests, and of a flood: `uv run python -m benchmarks.limits`, some eight minutes.

Two API processes on one stack, one without limits, which is the floor: rounds of both alternate, and their time of API
and PostgreSQL for a call is compared. The flood is that of a key that has used its limit up, beside a client of another
workspace, at one API process and at three; the floor is the same client without it. The exit code is 1 if a goal is
missed.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from benchmarks.abuse.bystander import Waits
from benchmarks.abuse.slow_media import workspace_with_account
from benchmarks.processes import answer, cpu_seconds, part_pids, program
from benchmarks.speed.accounts import our_accounts
from benchmarks.speed.apis import TEXT, OurApi, posting, reading
from benchmarks.speed.measure import OURS, Comparison, Side, run
from benchmarks.stack import command, stack
from cli.stack.ports import HOST, free_port
from cli.stack.temporal import NAMESPACE

OFF = "without limits"
CALLERS = 8
ANY = "6000000"
"""A limit that is counted and not reached."""
_TIME = ("api", "postgres")
"""The processes whose time is compared: limits are the work of no others."""
COMPARISONS = {
    "read": Comparison("GET of one post, API and PostgreSQL", 4000, CALLERS, {OFF: 0.97}, processes=_TIME),
    "publish": Comparison("publishNow to two platforms, API and PostgreSQL", 80, CALLERS, {OFF: 0.98}, processes=_TIME),
}
ROUNDS = 15
FLOOD_GOAL = 1.2
"""How many times as long as without the flood the slowest of a hundred reads of another key may take."""
FLOOD_ROUNDS = 4
FLOOD_S = 12.0
READ_EVERY_S = 0.02
FLOODED = (1, 3)
"""The numbers of API processes that are flooded; the other key's client uses the first one."""
_READY_WITHIN_S = 120


@asynccontextmanager
async def api(dev: dict[str, Any], requests: str, posts: str) -> AsyncIterator[tuple[str, int]]:
    """Run an API process beside a stack; yield its address and process id."""
    port = free_port()
    environment = {
        "SOCIALSYNCER_DATABASE_URL": dev["databaseUrl"],
        "SOCIALSYNCER_API_PORT": str(port),
        "SOCIALSYNCER_SANDBOX_URL": dev["sandboxUrl"],
        "SOCIALSYNCER_REQUESTS_PER_MINUTE": requests,
        "SOCIALSYNCER_POSTS_PER_MINUTE": posts,
        "SOCIALSYNCER_LOG_LEVEL": "info",
        "TEMPORAL_ADDRESS": dev["temporalAddress"],
        "TEMPORAL_NAMESPACE": NAMESPACE,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "api"),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", trust_env=False) as client:
            async with asyncio.timeout(_READY_WITHIN_S):
                while not await _is_up(client):
                    if process.returncode is not None:
                        raise SystemExit(f"an API process ended with {process.returncode}")
                    await asyncio.sleep(0.2)
        yield f"http://{HOST}:{port}", process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_up(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def compare(dev: dict[str, Any], names: list[str], rounds: int, *, short: bool) -> bool:
    """Compare an API with limits to one without; return whether all goals are met."""
    shared = {name: pid for name, pid in part_pids(dev).items() if name in {"postgres", "temporal", "worker"}}
    next_target, are_met = await our_accounts(dev), True
    async with AsyncExitStack() as running:
        start = running.enter_async_context
        apis = {}
        for name, limit in ((OURS, ANY), (OFF, "0")):
            url, pid = await start(api(dev, limit, limit))
            headers = {"Authorization": f"Bearer {dev['apiKey']}"}
            http = await start(httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False))
            apis[name] = (OurApi(http, next_target), {"api": pid, **shared})
        later = datetime.now(UTC) + timedelta(days=1)
        path = f"/v1/posts/{await apis[OURS][0].post('read', TEXT, later)}"
        for name in names:
            comparison = COMPARISONS[name]
            if short:
                comparison = replace(comparison, count=comparison.count // 4)
            sides = [
                Side(
                    side,
                    reading(own.http, path, CALLERS) if name == "read" else posting(own, TEXT, CALLERS),
                    pids,
                )
                for side, (own, pids) in apis.items()
            ]
            are_met &= await run(comparison, sides, rounds)
    return are_met


@dataclass(slots=True)
class FloodRounds:
    """The rounds with a flood, or those without: the reads of the other client, and what the processes cost."""

    reads_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    apis_s: float = 0.0
    client_s: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def p99(self) -> float:
        """Return the 99th percentile of all reads, in milliseconds."""
        return statistics.quantiles(self.reads_ms, n=100, method="inclusive")[98]

    @property
    def cost(self) -> str:
        """Return the shares of a core that the API processes and the flood's own client took."""
        return f"APIs {self.apis_s / self.seconds:.1%}, flood's client {self.client_s / self.seconds:.1%} of a core"


async def flood(dev: dict[str, Any], rounds: int, seconds: float) -> bool:
    """Compare another workspace's reads beside a flood with those without it; return whether the goals are met."""
    hostile = await command(dev, "keys", "create", "--workspace", "flood", "--rate", "60")
    bystander = await workspace_with_account(dev, "bystander")
    are_met = True
    for number in FLOODED:
        async with AsyncExitStack() as running:
            apis = [await running.enter_async_context(api(dev, ANY, ANY)) for _ in range(number)]
            are_met &= await _flood_apis(apis, hostile, bystander, rounds, seconds)
    return are_met


async def _flood_apis(
    apis: Sequence[tuple[str, int]], hostile: str, bystander: tuple[str, str], rounds: int, seconds: float
) -> bool:
    urls = [url for url, _ in apis]
    beside, alone = FloodRounds(), FloodRounds()
    reader = ("benchmarks.abuse.bystander", urls[0], *bystander, str(READ_EVERY_S))
    flooder = ("benchmarks.flood", hostile, str(seconds), *urls)
    for number in range(2 * rounds):
        # Each is the first in half of the rounds.
        measured = beside if number % 4 in {1, 2} else alone
        # The flood's client comes last for the machine: it would be on other machines.
        async with program(*reader) as client, program(*flooder, niceness=19) as flooding:
            before, began = sum(cpu_seconds(pid) for _, pid in apis), time.perf_counter()
            if measured is beside:
                told = json.loads(await answer(flooding, "go"))
                measured.statuses += Counter(told["statuses"])
                measured.client_s += told["cpu_s"]
            else:
                await asyncio.sleep(seconds)
            measured.apis_s += sum(cpu_seconds(pid) for _, pid in apis) - before
            measured.seconds += time.perf_counter() - began
            measured.reads_ms += Waits(**json.loads(await answer(client, "end"))).reads_ms
    ratio = beside.p99 / alone.p99
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(beside.statuses.items()))
    print(
        f"flood of one key at {len(urls)} API: {beside.statuses.total() / beside.seconds:.0f}/s, {answers}; "
        f"{beside.cost} (without: {alone.cost}); another key's reads, p99: {beside.p99:.1f} ms, without "
        f"{alone.p99:.1f} ms, {ratio:.2f} times, goal {FLOOD_GOAL}: {'met' if ratio <= FLOOD_GOAL else 'MISSED'}",
        flush=True,
    )
    return ratio <= FLOOD_GOAL


async def measure(only: list[str], rounds: int, *, short: bool) -> bool:
    """Measure on a fresh stack; return whether all goals are met."""
    async with stack() as dev:
        names = [name for name in only if name in COMPARISONS]
        are_met = not names or await compare(dev, names, rounds, short=short)
        if "flood" in only:
            are_met &= await flood(dev, min(rounds, FLOOD_ROUNDS), FLOOD_S / 4 if short else FLOOD_S)
    return are_met


def main() -> None:
    """Parse the command line, run, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*COMPARISONS, "flood"], default=[*COMPARISONS, "flood"])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--short", action="store_true", help="a quarter of the calls, to see that it works")
    arguments = parser.parse_args()
    raise SystemExit(0 if asyncio.run(measure(arguments.only, arguments.rounds, short=arguments.short)) else 1)


if __name__ == "__main__":
    main()
