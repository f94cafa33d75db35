"""Rounds of calls on several sides in turn, with each process's time and the share of the machine that was idle."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import psutil

from benchmarks.processes import cpu_seconds

OURS = "ours"


async def call_all(call: Callable[[], Awaitable[None]], count: int, callers: int) -> None:
    """Make `count` calls, of which each of the callers makes one after the other."""
    numbers = iter(range(count))

    async def caller() -> None:
        for _ in numbers:
            await call()

    await asyncio.gather(*(caller() for _ in range(callers)))


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one side."""

    seconds: float
    """The time of the round, divided by its calls."""
    spent: Mapping[str, float]
    """Milliseconds of one core for a call, by process."""
    idle: float
    """The share of the machine's processor time that no process used."""
    others: float
    """The share that processes used which belong to no side."""
    lateness: float | None = None
    """After how many seconds 99 of 100 posts that were due were public."""


Measured = Callable[[int], Awaitable[float]]
"""Makes a number of calls and returns the seconds that they took."""


@dataclass(slots=True)
class Side:
    """One way to do the job: its calls, its processes, and its rounds."""

    name: str
    calls: Measured
    pids: Mapping[str, int]
    arrange: Callable[[int], Awaitable[None]] | None = None
    """What comes before a round and is not measured."""
    lateness: Callable[[], float] | None = None
    rounds: list[Round] = field(default_factory=list)

    async def measure(self, count: int, all_pids: Iterable[int]) -> None:
        """Make one round of `count` calls."""
        if self.arrange:
            await self.arrange(count)
        known = {pid: cpu_seconds(pid) for pid in {*all_pids, *self.pids.values()}}
        before = psutil.cpu_times()
        seconds = await self.calls(count)
        after = psutil.cpu_times()
        used = {pid: cpu_seconds(pid) - spent for pid, spent in known.items()}
        total, idle = sum(after[:8]) - sum(before[:8]), after.idle + after.iowait - before.idle - before.iowait
        self.rounds.append(
            Round(
                seconds=seconds / count,
                spent={name: used[pid] / count * 1000 for name, pid in self.pids.items()},
                idle=idle / total,
                others=max(0.0, (total - idle - sum(used.values())) / total),
                lateness=self.lateness() if self.lateness else None,
            )
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """A job that all sides do, and the goals for our speed: how many times as fast as a floor we must be."""

    title: str
    count: int
    """The calls of a round."""
    callers: int
    goals: Mapping[str, float] = field(default_factory=dict)
    processes: tuple[str, ...] = ()
    """The processes whose time is compared, if the calls themselves cost more than them: "api"."""
    lateness: Mapping[str, float] = field(default_factory=dict)
    """How many times as late as a floor our posts may be at most."""

    def cost(self, measured: Round) -> float:
        """Return what a call costs, in seconds."""
        if self.processes:
            return sum(measured.spent[process] for process in self.processes) / 1000
        return measured.seconds

    def figure(self, side: Side) -> str:
        """Return the median of a side as text."""
        cost = statistics.median(map(self.cost, side.rounds))
        return f"{cost * 1000:.2f} ms" if self.processes or self.callers == 1 else f"{1 / cost:.1f}/s"


async def run(comparison: Comparison, sides: Sequence[Side], rounds: int) -> bool:
    """Measure all sides in turn and print the figures; return whether all goals are met."""
    pids = {pid for side in sides for pid in side.pids.values()}
    for side in sides:
        await side.measure(comparison.callers, pids)
        side.rounds.clear()
    for number in range(rounds):
        # Each side is the first in some rounds, so what one leaves to be done burdens no other always.
        first = number % len(sides)
        for side in (*sides[first:], *sides[:first]):
            await side.measure(comparison.count, pids)
            await asyncio.sleep(1)
    return report(comparison, sides)


def _late(side: Side) -> float | None:
    """Return the median of a side's lateness in seconds, if posts were due."""
    times = [measured.lateness for measured in side.rounds if measured.lateness is not None]
    return statistics.median(times) if times else None


def report(comparison: Comparison, sides: Sequence[Side]) -> bool:
    """Print a row for each side; return whether all goals are met."""
    (ours,) = (side for side in sides if side.name == OURS)
    are_met = True
    for side in sides:
        ratios = sorted(
            comparison.cost(floor) / comparison.cost(mine) for mine, floor in zip(ours.rounds, side.rounds, strict=True)
        )
        ratio, goal = statistics.median(ratios), comparison.goals.get(side.name)
        compared = "" if side is ours else f"{ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        if goal is not None:
            are_met &= ratio >= goal
            compared += f", goal {goal}: {'met' if ratio >= goal else 'MISSED'}"
        spent = {
            name: statistics.median(measured.spent[name] for measured in side.rounds) for name in side.rounds[0].spent
        }
        if late := _late(side):
            compared += f"; 99 of 100 within {late:.1f} s"
            if (limit := comparison.lateness.get(side.name)) is not None:
                times = (_late(ours) or 0) / late
                are_met &= times <= limit
                compared += (
                    f", we are {times:.2f} times as late, at most {limit}: {'met' if times <= limit else 'MISSED'}"
                )
        costs = ", ".join(f"{name} {ms:.1f}" for name, ms in spent.items() if ms >= 0.1)
        idle, others = (
            statistics.median(share for share in shares)
            for shares in zip(*((measured.idle, measured.others) for measured in side.rounds), strict=True)
        )
        print(
            f"| {comparison.title} | {side.name} | {comparison.figure(side)} | {compared} | {costs} "
            f"| {idle:.0%} idle, {others:.0%} others |",
            flush=True,
        )
    return are_met
