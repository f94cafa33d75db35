"""Search far, and print the results: `uv run python -m tests.model`.

Exits with 1 if a promise is broken.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.model.owned import OwnedModel
from tests.model.scenarios import FAR
from tests.model.search import SearchResult, search
from tests.model.state import World

_MOST = 200_000
"""States of one scenario: together they must be a million, in two minutes on two cores."""


def as_text(name: str, result: SearchResult) -> str:
    """Return the results of a search, as text."""
    whole = "to the end" if result.complete else f"{result.depth} moves deep"
    head = f"{name}: {result.states} states, {result.moves} moves, {whole}, {result.seconds:.0f} s"
    ways = (
        "\n".join([f"  {broken}, after {len(way)} moves:", *(f"    {line}" for line in way)])
        for broken, way in result.broken.items()
    )
    return "\n".join([head, *ways])


def _searched(name: str, start: World, most: int) -> tuple[str, SearchResult]:
    return name, search(OwnedModel(), start, most)


def main() -> None:
    """Search every scenario, two at a time."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--states", type=int, default=_MOST, help="states to visit in each scenario at most")
    arguments = parser.parse_args()
    states, broken = 0, False
    with ProcessPoolExecutor(2) as pool:
        tasks = [pool.submit(_searched, name, start, arguments.states) for name, start in FAR.items()]
        for task in tasks:
            name, search_result = task.result()
            states, broken = states + search_result.states, broken or bool(search_result.broken)
            sys.stdout.write(as_text(name, search_result) + "\n")
            sys.stdout.flush()
    sys.stdout.write(f"{states} states, {'promises are broken' if broken else 'no promise is broken'}\n")
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
