"""Search far, and print what was found: `uv run python -m tests.model [--old]`."""

import argparse
import sys

from tests.model.old import OldModel
from tests.model.search import Found, search
from tests.model.scenarios import OLD


def told(name: str, found: Found) -> str:
    """Return what a search has found, as text."""
    whole = "all" if found.complete else "not all"
    head = f"{name}: {found.states} states, {whole} of them, {found.moves} moves, {found.seconds:.1f} s"
    ways = (
        "\n".join([f"  {broken}, after {len(way)} moves:", *(f"    {line}" for line in way)])
        for broken, way in found.broken.items()
    )
    return "\n".join([head, *ways])


def main() -> None:
    """Search the old rules, and print the shortest way to each promise that they break."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--old", action="store_true", help="the rules before rows had versions, which break promises")
    parser.parse_args()
    for name, start in OLD.items():
        sys.stdout.write(told(name, search(OldModel(), start)) + "\n")


if __name__ == "__main__":
    main()
