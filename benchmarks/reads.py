"""Compare our reads with a bare Litestar handler: `uv run python -m benchmarks.reads`.

The bare handler runs one SELECT on the same database and answers with the same JSON, which is prepared. Rounds of both
alternate. The benchmark compares the two servers' processor time for a request, because it limits how many requests one
process serves a second. The rates are printed, too; on few cores they measure the clients as well.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.processes import answer, cpu_seconds, parts_of, program
from benchmarks.stack import stack
from cli.stack.ports import HOST, free_port

CALLERS = 8
POSTS = 25
GOALS = {"GET of one post": 0.5, "a list of 20": 0.3}


async def ask(address: tuple[str, int], path: str, count: int, key: str = "") -> None:
    """Send requests over some connections, each after the answer to the one before. Raises SystemExit for a refusal."""
    head = f"GET {path} HTTP/1.1\r\nHost: {address[0]}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    numbers = iter(range(count))

    async def caller() -> None:
        reader, writer = await asyncio.open_connection(*address)
        for _ in numbers:
            writer.write(head)
            status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
            if " 200 " not in f"{status} ":
                raise SystemExit(f"{path} is answered {status}")
            await reader.readexactly(
                next(int(header[15:]) for header in headers if header.startswith("content-length:"))
            )
        writer.close()

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def fill(dev: dict[str, Any]) -> str:
    """Schedule some posts to two platforms; return the id of one of them."""
    by_platform = {account["platform"]: account["accountId"] for account in reversed(dev["accounts"])}
    targets = [{"platform": name, "accountId": by_platform[name]} for name in ("twitter", "bluesky")]
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    async with httpx.AsyncClient(
        base_url=dev["apiUrl"], headers={"Authorization": f"Bearer {dev['apiKey']}"}, timeout=60
    ) as http:
        for _ in range(POSTS):
            body = {"content": f"read again and again {uuid.uuid4()}", "platforms": targets, "scheduledFor": due}
            post = (await http.post("/v1/posts", json=body)).raise_for_status().json()
    return str(post["id"])


@asynccontextmanager
async def baseline(dev: dict[str, Any], paths: list[str]) -> AsyncIterator[tuple[int, int]]:
    """Run the bare handlers with the API's answers on these paths; yield their process and port."""
    port = free_port()
    dsn = dev["databaseUrl"].replace("+asyncpg", "")
    async with httpx.AsyncClient(base_url=dev["apiUrl"], headers={"Authorization": f"Bearer {dev['apiKey']}"}) as http:
        answers = [(await http.get(path)).raise_for_status().content for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        async with program("benchmarks.baseline_api", dsn, str(port)) as process:
            files = [Path(folder) / str(number) for number in range(len(answers))]
            for file, content in zip(files, answers, strict=True):
                file.write_bytes(content)
            if await answer(process, "\n".join(map(str, files))) != "serving":
                raise SystemExit("the bare handlers did not start")
            yield process.pid, port


async def run(count: int, rounds: int) -> bool:
    """Compare both reads on a fresh stack."""
    async with stack() as dev:
        paths = [f"/v1/posts/{await fill(dev)}", "/v1/posts?limit=20"]
        api = urlsplit(dev["apiUrl"])
        async with baseline(dev, paths) as (baseline_pid, baseline_port):
            sides = {
                "ours": (parts_of(dev)["api"], (api.hostname or "", api.port or 80), paths),
                "bare": (baseline_pid, (HOST, baseline_port), ["/one", "/list"]),
            }
            print(f"{CALLERS} callers, {rounds} rounds of {count}, {os.cpu_count()} cores; medians (and ranges)")
            reached = True
            for number, (name, goal) in enumerate(GOALS.items()):
                spent: dict[str, list[float]] = {side: [] for side in sides}
                rates: dict[str, list[float]] = {side: [] for side in sides}
                for repeat in range(rounds + 1):
                    for side, (pid, address, own) in sides.items():
                        began, before = time.perf_counter(), cpu_seconds(pid)
                        await ask(address, own[number], count, dev["apiKey"])
                        if repeat:
                            spent[side].append((cpu_seconds(pid) - before) / count * 1e6)
                            rates[side].append(count / (time.perf_counter() - began))
                ratios = [theirs / mine for mine, theirs in zip(spent["ours"], spent["bare"], strict=True)]
                reached &= statistics.median(ratios) >= goal
                print(f"{name}: ratio {_shown(ratios, 2)}, goal {goal}")
                for side in sides:
                    print(
                        f"    {side}  {_shown(spent[side])} us of a core for a request, {_shown(rates[side])} a second"
                    )
            return reached


def _shown(values: list[float], digits: int = 0) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    """Parse the command line, run, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=2000, help="requests of each kind in a round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    raise SystemExit(0 if asyncio.run(run(arguments.count, arguments.rounds)) else 1)


if __name__ == "__main__":
    main()
