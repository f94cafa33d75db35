"""The cost of limits of requests, and of a flood: `uv run python -m benchmarks.limits`, some four minutes.

The exit code is 1 if a goal is missed.
"""

import argparse
import asyncio

from benchmarks.limits.cost import COMPARISONS, compare
from benchmarks.limits.flooding import flood
from benchmarks.stack import stack

COST, FLOOD = "cost", "flood"
NAMES = (*COMPARISONS, COST, FLOOD)


async def measure(only: list[str], *, short: bool) -> bool:
    """Measure on a fresh stack; return whether all goals are met."""
    async with stack() as dev:
        names = [name for name in COMPARISONS if name in only or COST in only]
        are_met = not names or await compare(dev, names, short=short)
        if FLOOD in only:
            are_met &= await flood(dev, short=short)
    return are_met


def main() -> None:
    """Parse the command line, run, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=[COST, FLOOD], help=f"{COST} is {' and '.join(COMPARISONS)}"
    )
    parser.add_argument("--short", action="store_true", help="a quarter of the rounds, to see that it works")
    arguments = parser.parse_args()
    raise SystemExit(0 if asyncio.run(measure(arguments.only, short=arguments.short)) else 1)


if __name__ == "__main__":
    main()
