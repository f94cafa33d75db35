"""The cost of limits: the same calls to one API process with limits and without, in short rounds in turn.

Limits are the work of the API's event loop and of its sessions of PostgreSQL, so the time of a core that these use is
compared; Linux counts it in nanoseconds. The time of the whole round stands beside it.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx

from benchmarks.limits.api_process import api_environment
from benchmarks.processes import answer, program
from benchmarks.speed.accounts import our_accounts
from benchmarks.speed.apis import TEXT, OurApi, Reader, posting
from benchmarks.speed.measure import Measured
from cli.stack.ports import HOST, free_port

CALLERS = 8
WARM_UP = 4
"""Pairs of rounds that are not counted."""
_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%:' || $1"


class Cost(NamedTuple):
    """Seconds of one core, or of a clock, for one call."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A job, and how many times as fast as without limits it must be with them."""

    title: str
    count: int
    """The calls of a round."""
    rounds: int
    """Pairs of rounds, one with limits and one without."""
    limit: int
    """Requests and posts a minute: more than are made, so that nothing is refused, but not many times as much: a lease
    is a part of it."""
    goal: float


COMPARISONS = {
    "read": Comparison("GET of one post", 256, 160, 600_000, 0.97),
    "publish": Comparison("publishNow to two platforms", 16, 180, 6_000, 0.98),
}


@dataclass(slots=True)
class Sides:
    """The rounds with limits, and those without: each of both stands beside its neighbour in time."""

    limited: list[Cost] = field(default_factory=list)
    free: list[Cost] = field(default_factory=list)

    def ratio(self, figure: Callable[[Cost], float]) -> float:
        """Return how many times as fast as without limits we are: the median of all pairs of neighbours."""
        pairs = zip(map(figure, self.limited), map(figure, self.free), strict=True)
        return statistics.median(free / limited for limited, free in pairs)

    def ratios_of_halves(self) -> list[float]:
        """Return the ratio of every second pair, and of the others: how far they differ is how exact the ratio is."""
        halves = (Sides(self.limited[first::2], self.free[first::2]) for first in (0, 1))
        return [half.ratio(lambda cost: cost.cpu) for half in halves]


class SwitchedApi:
    """The API process, and the time of a core that it and its sessions of PostgreSQL use."""

    def __init__(self, process: asyncio.subprocess.Process, connection: asyncpg.Connection) -> None:
        self._process = process
        self._connection = connection

    async def limit(self, limit: int) -> None:
        """Set the limits of requests and of posts; 0 is none."""
        if await answer(self._process, f"{limit} {limit}") != "ok":
            raise SystemExit("the API process has ended")

    async def measure(self, calls: Measured, count: int) -> Cost:
        """Make some calls."""
        rows = await self._connection.fetch(_SESSIONS, str(self._process.pid))
        pids = [self._process.pid, *(row["pid"] for row in rows)]
        before, began = {pid: _nanoseconds(pid) for pid in pids}, time.perf_counter()
        await calls(count)
        wall = time.perf_counter() - began
        # A session that has ended meanwhile was idle.
        cpu = sum(after - before[pid] for pid in pids if (after := _nanoseconds(pid)))
        return Cost(cpu / 1e9 / count, wall / count)


def _nanoseconds(pid: int) -> int:
    """Return the time of a core that the first thread of a process has used (the API's event loop); 0 if it ended."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except OSError:
        return 0


@asynccontextmanager
async def switched_api(dev: dict[str, Any]) -> AsyncIterator[tuple[SwitchedApi, str]]:
    """Run an API process beside a stack; yield it and its address."""
    port = str(free_port())
    connection = await asyncpg.connect(dev["databaseUrl"].replace("+asyncpg", ""))
    try:
        async with program("benchmarks.limits.switched_api", port, environment=api_environment(dev, 0)) as process:
            yield SwitchedApi(process, connection), f"http://{HOST}:{port}"
    finally:
        await connection.close()


async def compare(dev: dict[str, Any], names: list[str], *, short: bool) -> bool:
    """Compare requests with limits to those without; return whether all goals are met."""
    are_met = True
    async with AsyncExitStack() as running:
        start = running.enter_async_context
        api, url = await start(switched_api(dev))
        headers = {"Authorization": f"Bearer {dev['apiKey']}"}
        http = await start(httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False))
        own = OurApi(http, await our_accounts(dev))
        path = f"/v1/posts/{await own.post('read', TEXT, datetime.now(UTC) + timedelta(days=1))}"
        reader = await start(Reader(http, path, CALLERS))
        all_calls = {"read": reader.read, "publish": posting(own, TEXT, CALLERS)}
        for name in names:
            comparison = COMPARISONS[name]
            sides = Sides()
            for number in range(-WARM_UP, comparison.rounds // (4 if short else 1)):
                # ABBA: what changes slowly burdens both sides alike.
                for limit in (comparison.limit, 0)[:: 1 if number % 2 else -1]:
                    await api.limit(limit)
                    cost = await api.measure(all_calls[name], comparison.count)
                    if number >= 0:
                        (sides.limited if limit else sides.free).append(cost)
            are_met &= report(comparison, sides)
    return are_met


def report(comparison: Comparison, sides: Sides) -> bool:
    """Print what both sides cost; return whether the goal is met."""
    ratio = sides.ratio(lambda cost: cost.cpu)
    limited, free = (statistics.median(cost.cpu for cost in side) * 1e6 for side in (sides.limited, sides.free))
    print(
        f"{comparison.title}, {len(sides.free)} pairs of rounds of {comparison.count}: {limited:.1f} us of a core "
        f"at the API and PostgreSQL, without limits {free:.1f} us, ratio {ratio:.3f} (halves of the pairs "
        f"{' and '.join(f'{part:.3f}' for part in sides.ratios_of_halves())}), goal {comparison.goal}: "
        f"{'met' if ratio >= comparison.goal else 'MISSED'}; by the clock {sides.ratio(lambda cost: cost.wall):.3f}",
        flush=True,
    )
    return ratio >= comparison.goal
