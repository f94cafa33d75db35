"""The statements of an idle fleet: `uv run python -m benchmarks.idle [SECONDS]`.

Two APIs with one worker, then with four, do nothing for so many seconds (120 by default). Counts the statements in
PostgreSQL's own log, by process and by what they ask, and each worker's requests to Temporal by its metrics. Exits with
1 if a bar is missed.
"""

import asyncio
import csv
import io
import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import asyncpg
import httpx

from benchmarks.campaigns.measure import HEAD, Bar, Figure, IdleShare
from cli.stack.ports import free_port
from store.roles import Component
from tests.postgres import postgres_server
from tests.releases.folders import ROOT
from tests.releases.trees import Fleet, Part, Tree
from tests.running import running_stack
from tests.temporal import temporal_server

MOST_OF_WORKER, MOST_OF_API = 40, 30
"""Statements a minute of one process."""
MOST_OF_FOUR = 1.3
"""Times what one worker asks: the further ones rest."""
_APIS, _WORKERS = 2, 4
_SETTLES_S = 25
"""Until new workers rest, and statements of the start are over."""
_SHOWN = 25
_LOGGED = {"logging_collector": "on", "log_destination": "csvlog", "log_statement": "all"}
_TREE = Tree("the present code", ROOT)
_STATEMENT = re.compile(r"(?:statement|execute [^:]*): (.*)", re.DOTALL)
"""A line of PostgreSQL's log, by either protocol."""
_CSV_APPLICATION, _CSV_MESSAGE = 22, 13


class StatementLog:
    """The statements in PostgreSQL's own log, as pairs of a purpose with its process and a shortened statement."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._position = 0

    async def take(self) -> Counter[tuple[str, str]]:
        """Return the statements of the product's processes since the last call."""
        chunk = await self._connection.fetchval(
            "SELECT pg_read_file(pg_current_logfile('csvlog'), $1, 1000000000)", self._position
        )
        whole = chunk[: chunk.rfind("\n") + 1]
        self._position += len(whole.encode())
        statements = Counter[tuple[str, str]]()
        for line in csv.reader(io.StringIO(whole)):
            application, match = line[_CSV_APPLICATION], _STATEMENT.match(line[_CSV_MESSAGE])
            if match and application.startswith("socialsyncer-"):
                statements[application, " ".join(match[1].split())[:110]] += 1
        return statements


def _of_part(statements: Counter[tuple[str, str]], part: Part) -> int:
    return sum(count for (name, _), count in statements.items() if name.endswith(f":{part.process.pid}"))


def _print_askers(statements: Counter[tuple[str, str]], minutes: float) -> None:
    totals = Counter[tuple[str, str]]()
    for (name, statement), count in statements.items():
        totals[name.partition("@")[0], statement] += count
    for (purpose, statement), count in totals.most_common(_SHOWN):
        print(f"{count / minutes:7.1f}/min  {purpose.removeprefix('socialsyncer-'):16} {statement}")


async def _requests(port: int) -> Counter[str]:
    """Return the requests of a worker to Temporal so far, by their name."""
    requests = Counter[str]()
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    for line in text.splitlines():
        if match := re.match(r'temporal_(?:long_)?request(?:_total)?\{.*operation="(\w+)".*\} (\d+)', line):
            requests[match[1]] += int(match[2])
    return requests


async def measure(fleet: Fleet, connection: asyncpg.Connection, seconds: float) -> list[Figure]:
    """Let the processes be idle, and return the figures."""
    log, minutes, port = StatementLog(connection), seconds / 60, free_port()
    apis = await asyncio.gather(*(fleet.start(_TREE, Component.API) for _ in range(_APIS)))
    os.environ["SOCIALSYNCER_METRICS_PORT"] = str(port)
    workers = [await fleet.start(_TREE, Component.WORKER)]
    del os.environ["SOCIALSYNCER_METRICS_PORT"]
    totals, figures = dict[int, float](), list[Figure]()
    for count in (1, _WORKERS):
        workers += await asyncio.gather(*(fleet.start(_TREE, Component.WORKER) for _ in range(count - len(workers))))
        await asyncio.sleep(_SETTLES_S)
        await log.take()
        before = await _requests(port)
        await asyncio.sleep(seconds)
        statements, requests = await log.take(), await _requests(port) - before
        print(f"\n{_APIS} APIs and {count} of {_WORKERS} workers, statements:")
        _print_askers(statements, minutes)
        named = ", ".join(f"{name} {number / minutes:.0f}" for name, number in requests.most_common())
        print(f"requests of the first worker to Temporal, a minute: {requests.total() / minutes:.0f} ({named})")
        asked = [_of_part(statements, part) / minutes for part in workers]
        totals[count] = sum(asked)
        name = "one worker" if count == 1 else f"the busiest of {count} workers"
        figures.append(Figure(f"statements of {name}", max(asked), "/min", bar=Bar(most=MOST_OF_WORKER)))
        most = max(_of_part(statements, part) / minutes for part in apis)
        figures.append(Figure(f"statements of an API beside {count}", most, "/min", bar=Bar(most=MOST_OF_API)))
    ratio = totals[_WORKERS] / totals[1]
    return [*figures, Figure("statements of four workers / of one", ratio, "times", bar=Bar(most=MOST_OF_FOUR))]


async def main(seconds: float) -> int:
    """Run it with servers of its own, and print the figures."""
    share = IdleShare()
    with tempfile.TemporaryDirectory() as folder, postgres_server(**_LOGGED) as url:
        async with temporal_server() as temporal, running_stack(url, temporal) as stack:
            connection = await asyncpg.connect(stack.database_url.replace("+asyncpg", ""))
            fleet = Fleet(stack, Path(folder) / "log")
            try:
                figures = await measure(fleet, connection, seconds)
            finally:
                await fleet.close()
                await connection.close()
    idle = share.take()
    print("", HEAD, *(figure.row(idle) for figure in figures), sep="\n")
    return int(not all(figure.is_right for figure in figures))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(float(sys.argv[1]) if sys.argv[1:] else 120.0)))
