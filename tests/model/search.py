"""A breadth-first search through every state that moves can reach, with the shortest way to each broken promise."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tests.model.state import World

Move = tuple[str, World, str | None]
"""What happens, the state after it, and which promise it breaks (None: none)."""


class Moves(Protocol):
    """What can happen in a state."""

    def moves(self, world: World) -> Iterable[Move]:
        """Yield everything that can happen next."""

    def unsettled(self, world: World) -> str | None:
        """Return which promise is broken if nothing can happen any more but what somebody does to the product."""


@dataclass(slots=True)
class Found:
    """What a search has seen. `broken` has the shortest way to each broken promise, as lines."""

    states: int = 0
    moves: int = 0
    depth: int = 0
    complete: bool = False
    """No state was left out."""
    seconds: float = 0.0
    broken: dict[str, list[str]] = field(default_factory=dict)


def search(model: Moves, start: World, most_states: int | None = None, *, stop_at: int | None = None) -> Found:
    """Visit every reachable state, nearest first.

    States are remembered by their 64-bit hashes: of a million, two are mistaken for each other once in 30 million
    searches.

    Args:
        model: What can happen.
        start: Where it begins.
        most_states: How many states to visit at most; None for all.
        stop_at: After how many different broken promises to stop; None for never.
    """
    began, found = time.monotonic(), Found()
    came_from: dict[int, int] = {hash(start): 0}
    edge = [start]
    while edge:
        following: list[World] = []
        for world in edge:
            own, quiet = hash(world), True
            found.states += 1
            for label, after, broken in model.moves(world):
                found.moves += 1
                # What somebody does to the product begins with "!"; everything else happens by itself.
                quiet = quiet and label[0] == "!"
                if broken is not None:
                    if broken not in found.broken:
                        found.broken[broken] = [*_way(model, start, came_from, own), label]
                    continue
                key = hash(after)
                if key not in came_from:
                    came_from[key] = own
                    following.append(after)
            if quiet and (broken := model.unsettled(world)) is not None and broken not in found.broken:
                found.broken[broken] = [*_way(model, start, came_from, own), "nothing more happens"]
            if stop_at is not None and len(found.broken) >= stop_at:
                break
            if most_states is not None and found.states >= most_states:
                break
        else:
            edge, found.depth = following, found.depth + 1
            continue
        break
    else:
        found.complete = True
    found.seconds = time.monotonic() - began
    return found


def _way(model: Moves, start: World, came_from: dict[int, int], key: int) -> list[str]:
    """Return the moves that lead to a state, by walking back over the hashes and then forth again."""
    keys = [key]
    while came_from[keys[-1]]:
        keys.append(came_from[keys[-1]])
    return list(_replay(model, start, keys[-2::-1]))


def _replay(model: Moves, world: World, keys: Iterable[int]) -> Iterator[str]:
    for key in keys:
        label, world = next((label, after) for label, after, _ in model.moves(world) if hash(after) == key)
        yield label
