"""A flood of requests of a key that has used its limit up, beside another workspace's client, and that client alone."""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.abuse.bystander import Waits
from benchmarks.abuse.slow_media import workspace_with_account
from benchmarks.limits.api_process import api
from benchmarks.processes import answer, cpu_seconds, program
from benchmarks.stack import command

_ANY = 6_000_000
"""A limit that is counted and not reached."""
FLOOD_GOAL = 1.2
"""How many times as long as without the flood the slowest of a hundred reads of another key may take."""
ROUNDS = 4
FLOOD_S = 6.0
READ_EVERY_S = 0.01
FLOODED = (1, 3)
"""The numbers of API processes that are flooded; the other key's client uses the first one."""


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


async def flood(dev: dict[str, Any], *, short: bool) -> bool:
    """Compare another workspace's reads beside a flood with those without it; return whether the goals are met."""
    hostile = await command(dev, "keys", "create", "--workspace", "flood", "--rate", "60")
    bystander = await workspace_with_account(dev, "bystander")
    are_met = True
    for number in FLOODED:
        async with AsyncExitStack() as running:
            apis = [await running.enter_async_context(api(dev, _ANY)) for _ in range(number)]
            are_met &= await _flood_apis(apis, hostile, bystander, FLOOD_S / (4 if short else 1))
    return are_met


async def _flood_apis(
    apis: Sequence[tuple[str, int]], hostile: str, bystander: tuple[str, str], seconds: float
) -> bool:
    urls = [url for url, _ in apis]
    beside, alone = FloodRounds(), FloodRounds()
    reader = ("benchmarks.abuse.bystander", urls[0], *bystander, str(READ_EVERY_S))
    flooder = ("benchmarks.limits.flood", hostile, str(seconds), *urls)
    for number in range(2 * ROUNDS):
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
