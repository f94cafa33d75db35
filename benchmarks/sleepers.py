"""Measure how a worker's memory grows with scheduled posts: `uv run python -m benchmarks.sleepers`.

It schedules posts for the next month and prints the worker's resident memory at each mark. With `--bare`, as many
workflows that only sleep are started beside them on the same Temporal, and their worker is measured too. The exit code
is 1 if the worker has grown by more than the goal from the first mark to the last.

To measure in parts, name the folder of a running `socialsyncer dev` that has `SOCIALSYNCER_MAX_OPEN_POSTS=0` and
`SOCIALSYNCER_API_RATE=0`: `--folder DIR --marks 10000`, then `--folder DIR --marks 90000`.
"""

import argparse
import asyncio
import gc
import itertools
import json
import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks.memory import memory
from benchmarks.processes import answer, parts_of, program
from benchmarks.stack import stack
from cli.stack.parts import WORKER_NICE

GOAL_MB = 50.0
"""How much more memory the worker may use after the last mark than after the first."""
MARKS = (10_000, 100_000)
CALLERS = 4
BATCH = 100
SETTLE_S = 10.0
"""Seconds after the last create of a mark, in which the worker runs the workflows that are left."""
_LATER = timedelta(days=30)


async def schedule(http: httpx.AsyncClient, account: dict[str, str], count: int) -> None:
    """Schedule `count` posts, BATCH in a request, CALLERS requests at a time."""
    due = datetime.now(UTC) + _LATER
    sizes = iter([BATCH] * (count // BATCH) + ([count % BATCH] if count % BATCH else []))

    async def caller() -> None:
        for size in sizes:
            posts = [
                {
                    "content": f"asleep {key}",
                    "platforms": [account],
                    "scheduledFor": (due + number * timedelta(seconds=1)).isoformat(),
                    "idempotencyKey": key,
                }
                for number, key in enumerate(str(uuid.uuid4()) for _ in range(size))
            ]
            # On a busy machine some are not created within the request's time. Each has a key: all may be sent again.
            while failed := await _failed(http, posts):
                if refused := [each for each in failed if each["httpStatus"] < 500]:
                    raise SystemExit(f"posts were refused: {str(refused)[:2000]}")

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def _failed(http: httpx.AsyncClient, posts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    response = (await http.post("/v1/posts/bulk", json={"posts": posts})).raise_for_status().json()
    return [result for result in response["results"] if "error" in result]


@asynccontextmanager
async def running(folder: Path | None) -> AsyncIterator[dict[str, Any]]:
    """Yield the running stack of a folder, or a fresh one."""
    if folder:
        yield {**json.loads((folder / "dev.json").read_text()), "dataDir": str(folder)}
        return
    async with stack({"SOCIALSYNCER_MAX_OPEN_POSTS": "0"}) as dev:
        yield dev


async def run(folder: Path | None, marks: list[int], *, bare: bool) -> bool:
    """Schedule posts up to each mark and print the memory there; return whether the goal is met."""
    used: list[float] = []
    async with running(folder) as dev:
        address, pids = dev["temporalAddress"], parts_of(dev)
        account = next(each for each in dev["accounts"] if each["platform"] == "twitter")
        target = {"platform": "twitter", "accountId": account["accountId"]}
        headers = {"Authorization": f"Bearer {dev['apiKey']}"}
        async with (
            httpx.AsyncClient(base_url=dev["apiUrl"], headers=headers, timeout=120) as http,
            program("benchmarks.baseline", "worker", address, niceness=WORKER_NICE)
            if bare
            else nullcontext() as worker,
            program("benchmarks.baseline", "client", address) if bare else nullcontext() as client,
        ):
            print(f"load {os.getloadavg()[0]:.1f}, worker {memory(pids['worker'], 'VmRSS'):.0f} MB without a post")
            for before, mark in itertools.pairwise([0, *marks]):
                began = time.perf_counter()
                await schedule(http, target, mark - before)
                took = time.perf_counter() - began
                if client:
                    await answer(client, f"start {mark - before} 16")
                await asyncio.sleep(SETTLE_S)
                used.append(memory(pids["worker"], "VmRSS"))
                print(
                    f"{mark:>8,} posts ({(mark - before) / took:.0f}/s)  worker {used[-1]:.0f} MB"
                    + (f"  bare worker {memory(worker.pid, 'VmRSS'):.0f} MB" if worker else ""),
                    flush=True,
                )
    grown = used[-1] - used[0]
    reached = grown <= GOAL_MB
    print(f"{grown:+.0f} MB from the first mark to the last, goal {GOAL_MB:.0f} MB: {'ok' if reached else 'MISSED'}")
    return reached


def main() -> None:
    """Parse the command line, run, and exit with 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--marks", type=int, nargs="+", default=list(MARKS), help="posts in all, ascending")
    parser.add_argument("--bare", action="store_true", help="measure a bare worker beside")
    parser.add_argument("--folder", type=Path, help="the folder of a running stack, instead of a stack of its own")
    arguments = parser.parse_args()
    reached = asyncio.run(run(arguments.folder, arguments.marks, bare=arguments.bare))
    gc.collect()
    raise SystemExit(0 if reached else 1)


if __name__ == "__main__":
    main()
