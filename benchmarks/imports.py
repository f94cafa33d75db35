"""Measure an import of 10,000 posts to two accounts beside a bystander: `uv run python -m benchmarks.imports`.

A stack of its own serves two workspaces. One imports. The other reads its posts and publishes meanwhile, from a process
of its own, and before that as long on the idle stack. In the same run, COPY writes the same rows into tables of the
same form: the least that the database needs. The benchmark fails if a goal is missed; those of time mean nothing on a
busy machine.
"""

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
import httpx

from benchmarks.abuse.bystander import Waits
from benchmarks.abuse.slow_media import PLATFORM, workspace_with_account
from benchmarks.processes import answer, program
from benchmarks.stack import stack

ROWS, FEW_ROWS = 10_000, 1_000
MOST_S, MOST_COPIES = 10.0, 6.0
"""The longest time of an import, and how many times as long as COPY it may take."""
MOST_P99_MS, MOST_RATIO = 250.0, 3.0
"""The limit for 99 of 100 reads of the bystander, and how many times as long as on the idle stack they may take."""
T = TypeVar("T")
_COPIED = ("posts", "targets")


@dataclass(frozen=True, slots=True)
class Importer:
    """The workspace that imports."""

    url: str
    key: str
    account_ids: list[str]

    async def send(self, rows: int) -> float:
        """Import rows, each a post to every account, and return the seconds until the answer."""
        targets = [{"platform": PLATFORM, "accountId": account_id} for account_id in self.account_ids]
        posts = [
            {
                "externalId": f"{uuid.uuid4()}",
                "content": f"Row {number}: a text of an ordinary length with a link, https://example.com/{number}",
                "platforms": targets,
                "scheduledFor": f"2030-{1 + number % 12:02}-{1 + number % 28:02}T09:{number % 60:02}",
                "tags": ["import"],
            }
            for number in range(rows)
        ]
        body = "\n".join(map(json.dumps, posts))
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Idempotency-Key": str(uuid.uuid4()),
            "Content-Type": "application/x-ndjson",
        }
        began = time.perf_counter()
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=120, trust_env=False) as client:
            response = await client.post("/v1/imports", content=body)
        if response.status_code != 201:
            raise SystemExit(f"{response.status_code}: {response.text[:500]}")
        return time.perf_counter() - began


async def copy_seconds(database_url: str) -> float:
    """Return the seconds in which COPY writes the rows of all posts again, without their indexes."""
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        records = {}
        for table in _COPIED:
            await connection.execute(f"CREATE TEMPORARY TABLE {table}_again (LIKE {table} INCLUDING ALL)")
            records[table] = [tuple(row) for row in await connection.fetch(f"SELECT * FROM {table}")]
        began = time.perf_counter()
        async with connection.transaction():
            for table, rows in records.items():
                await connection.copy_records_to_table(f"{table}_again", records=rows)
        return time.perf_counter() - began
    finally:
        await connection.close()


async def watched(url: str, key: str, account_id: str, work: Callable[[], Awaitable[T]]) -> tuple[T, Waits]:
    """Return what some work returns, and how long a bystander waited meanwhile."""
    async with program("benchmarks.abuse.bystander", url, key, account_id) as bystander:
        result = await work()
        return result, Waits(**json.loads(await answer(bystander, "end")))


async def measure(rows: int) -> bool:
    """Run the benchmark and print its numbers; return whether all goals are met."""
    async with stack() as dev:
        url = dev["apiUrl"]
        bystander = await workspace_with_account(dev, "bystander")
        key, first = await workspace_with_account(dev, "importer")
        _, second = await workspace_with_account(dev, "importer")
        importer = Importer(url, key, [first, second])
        _, idle = await watched(url, *bystander, lambda: asyncio.sleep(10))
        seconds, waits = await watched(url, *bystander, lambda: importer.send(rows))
        copied = await copy_seconds(dev["databaseUrl"])
    print(f"import of {rows:,} posts: {seconds:.1f} s; COPY of the same rows: {copied:.1f} s")
    print(f"bystander's reads: p99 {waits.p99:.0f} ms, worst {max(waits.reads_ms):.0f} ms; idle p99 {idle.p99:.0f} ms")
    print(f"bystander's publications: at most {max(waits.publishes_s, default=0):.2f} s; {waits.failed} failed")
    right = not waits.failed and not idle.failed
    right &= seconds <= MOST_S and seconds <= MOST_COPIES * copied
    return right and waits.p99 <= min(MOST_P99_MS, MOST_RATIO * max(idle.p99, 10))


def main() -> None:
    """Parse the command line, run, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.imports", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help=f"{FEW_ROWS:,} posts")
    right = asyncio.run(measure(FEW_ROWS if parser.parse_args().short else ROWS))
    print("All goals are met." if right else "Something is not as it must be.")
    raise SystemExit(0 if right else 1)


if __name__ == "__main__":
    main()
