"""Figures, each beside its floor and its bar, with the share of the machine that was idle meanwhile."""

import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Bar:
    """The limits of a figure. A figure without limits is only shown."""

    most: float | None = None
    """The largest value, in the figure's unit."""
    most_ratio: float | None = None
    """The largest multiple of the floor."""
    least_ratio: float | None = None
    """The smallest multiple of the floor, for rates."""

    def is_met(self, ours: float, floor: float | None) -> bool:
        """Return whether a figure keeps the limits."""
        ratio = ours / floor if floor else None
        return not (
            (self.most is not None and ours > self.most)
            or (self.most_ratio is not None and ratio is not None and ratio > self.most_ratio)
            or (self.least_ratio is not None and ratio is not None and ratio < self.least_ratio)
        )

    def __str__(self) -> str:
        limits = (
            f"at most {self.most:g}" if self.most is not None else "",
            f"at most {self.most_ratio:g} times" if self.most_ratio is not None else "",
            f"at least {self.least_ratio:g} times" if self.least_ratio is not None else "",
        )
        return ", ".join(filter(None, limits))


@dataclass(frozen=True, slots=True)
class Figure:
    """A time or a rate that was measured."""

    work: str
    ours: float
    unit: str
    floor: float | None = None
    bar: Bar = Bar()

    @property
    def is_right(self) -> bool:
        """Return whether it keeps its bar."""
        return self.bar.is_met(self.ours, self.floor)

    def row(self, idle: float) -> str:
        """Return it as a line of a table; `idle` is the share of the machine that no process used."""
        floor = "" if self.floor is None else f"{self.floor:.3g} {self.unit}"
        ratio = "" if not self.floor else f"{self.ours / self.floor:.2f}"
        verdict = "" if not str(self.bar) else f"{self.bar}: {'met' if self.is_right else 'MISSED'}"
        return f"| {self.work} | {self.ours:.3g} {self.unit} | {floor} | {ratio} | {verdict} | {idle:.0%} |"


HEAD = "| work | ours | floor | ratio | bar | idle |\n|---|---|---|---|---|---|"

Job = AsyncIterator[Figure]


class IdleShare:
    """The share of the machine that was idle between two calls."""

    def __init__(self) -> None:
        self._last = psutil.cpu_times()

    def take(self) -> float:
        """Return the share since the last call."""
        before, now = self._last, psutil.cpu_times()
        self._last = now
        total = sum(now[:8]) - sum(before[:8])
        return float((now.idle + now.iowait - before.idle - before.iowait) / total) if total else 0.0


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds that some work takes."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def median_ms(work: Callable[[], Awaitable[object]], rounds: int = 5) -> float:
    """Return the median time of some work in milliseconds; it is done once before."""
    await work()
    return statistics.median([await timed(work) for _ in range(rounds)]) * 1000


def p99(seconds: Sequence[float]) -> float:
    """Return the time in milliseconds that one of a hundred exceeds."""
    return sorted(seconds)[max(round(len(seconds) * 0.99) - 1, 0)] * 1000
