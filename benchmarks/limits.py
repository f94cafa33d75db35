"""The cost of limits of requests, and of a flood: `uv run python -m benchmarks.limits`.

Two API processes on one stack, one without limits, which is the floor: rounds of both alternate. The flood is that of a
key that has used its limit up, beside a client of another workspace, at one API process and at three; the floor is the
same client without it. The exit code is 1 if a goal is missed.
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
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.abuse.bystander import Waits
from benchmarks.abuse.slow_media import workspace_with_account
from benchmarks.processes import answer, part_pids, program
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
COMPARISONS = {
    "read": Comparison("GET of one post, the API's time", 4000, CALLERS, {OFF: 0.97}, process="api"),
    "publish": Comparison("publishNow, text to two platforms", 100, CALLERS, {OFF: 0.98}),
}
FLOOD_PER_S = 2_000
"""As many as the clients would send if each refusal came at once."""
FLOOD_GOAL = 1.2
"""How many times as long as without the flood the slowest of a hundred reads of another key may take."""
FLOOD_S = 20.0
FLOODED = (1, 3)
"""The numbers of API processes that are flooded; the other key's client uses the first one."""
_CONNECTIONS = 200
_READY_WITHIN_S = 60


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
            for _ in range(_READY_WITHIN_S * 5):
                if await _is_up(client):
                    break
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


async def flood(dev: dict[str, Any], rounds: int, seconds: float) -> bool:
    """Compare another workspace's reads beside a flood with those without it; return whether the goals are met."""
    hostile = await command(dev, "keys", "create", "--workspace", "flood", "--rate", "60")
    bystander = await workspace_with_account(dev, "bystander")
    are_met = True
    for processes in FLOODED:
        async with AsyncExitStack() as running:
            urls = [(await running.enter_async_context(api(dev, ANY, ANY)))[0] for _ in range(processes)]
            are_met &= await _flood_apis(urls, hostile, bystander, rounds, seconds)
    return are_met


async def _flood_apis(
    urls: Sequence[str], hostile: str, bystander: tuple[str, str], rounds: int, seconds: float
) -> bool:
    percentiles: dict[bool, list[float]] = {True: [], False: []}
    statuses = Counter[str]()
    for number in range(2 * rounds):
        is_flooded = number % 2 == 1
        async with program("benchmarks.abuse.bystander", urls[0], *bystander) as client:
            if is_flooded:
                statuses += await _flood(urls, hostile, seconds)
            else:
                await asyncio.sleep(seconds)
            percentiles[is_flooded].append(Waits(**json.loads(await answer(client, "end"))).p99)
    beside, alone = (statistics.median(percentiles[is_flooded]) for is_flooded in (True, False))
    is_met = beside <= alone * FLOOD_GOAL
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    print(
        f"flood of one key at {len(urls)} API: {statuses.total() / (rounds * seconds):.0f}/s, {answers}; another key's "
        f"reads, p99: {beside:.1f} ms, without {alone:.1f} ms, {beside / alone:.2f} times, goal {FLOOD_GOAL}: "
        f"{'met' if is_met else 'MISSED'}",
        flush=True,
    )
    return is_met


async def _flood(urls: Sequence[str], key: str, seconds: float) -> Counter[str]:
    """Send requests at a pace, over sockets of our own, which cost less than the server's work."""
    statuses = Counter[str]()
    end = time.perf_counter() + seconds
    pause_s = _CONNECTIONS / FLOOD_PER_S

    async def caller(url: str) -> None:
        split = urlsplit(url)
        head = f"GET /v1/posts?limit=5 HTTP/1.1\r\nHost: {split.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        reader, writer = await asyncio.open_connection(split.hostname, split.port)
        due = time.perf_counter()
        while due < end:
            writer.write(head)
            status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
            (length,) = (int(header[15:]) for header in headers if header.startswith("content-length:"))
            await reader.readexactly(length)
            statuses[status.split()[1]] += 1
            # A client that is late does not catch up.
            due = max(due + pause_s, time.perf_counter())
            await asyncio.sleep(due - time.perf_counter())
        writer.close()

    await asyncio.gather(*(caller(urls[number % len(urls)]) for number in range(_CONNECTIONS)))
    return statuses


async def measure(only: list[str], rounds: int, *, short: bool) -> bool:
    """Measure on a fresh stack; return whether all goals are met."""
    async with stack() as dev:
        names = [name for name in only if name in COMPARISONS]
        are_met = not names or await compare(dev, names, rounds, short=short)
        if "flood" in only:
            are_met &= await flood(dev, rounds, FLOOD_S / 5 if short else FLOOD_S)
    return are_met


def main() -> None:
    """Parse the command line, run, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*COMPARISONS, "flood"], default=[*COMPARISONS, "flood"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="a quarter of the calls, to see that it works")
    arguments = parser.parse_args()
    raise SystemExit(0 if asyncio.run(measure(arguments.only, arguments.rounds, short=arguments.short)) else 1)


if __name__ == "__main__":
    main()
