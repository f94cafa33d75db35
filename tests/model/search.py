"""A breadth-first search through every state that moves can reach, with the shortest way to each broken promise."""

import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tests.model.state import World

Move = tuple[str, World, str | None]
"""The label of the move, the state after it, and the promise that it breaks (None: no promise)."""


class Moves(Protocol):
    """The possible moves of each state. A label begins with ! or ~ if the move does not happen by itself."""

    def moves(self, world: World) -> Iterable[Move]:
        """Yield everything that can happen next."""

    def unsettled(self, world: World) -> str | None:
        """Return which promise is broken if the post keeps this state for ever; None if it may keep it."""


@dataclass(slots=True)
class SearchResult:
    """The result of a search. `broken` has the shortest way to each broken promise, as lines."""

    states: int = 0
    moves: int = 0
    depth: int = 0
    complete: bool = False
    """No state was left out."""
    seconds: float = 0.0
    broken: dict[str, list[str]] = field(default_factory=dict)


def search(model: Moves, start: World, most_states: int | None = None) -> SearchResult:
    """Visit every reachable state, nearest first.

    From every state the post must be able to settle by moves that happen by themselves, without help of a client, an
    operator or a late worker. States are remembered by their 64-bit hashes: in a search of a million states, the chance
    of a collision is 1 in 30 million.

    Args:
        model: The possible moves.
        start: The first state.
        most_states: How many states to visit at most; None for all.
    """
    return _Search(model, start).run(most_states)


class _Search:
    """A search and its visited states."""

    def __init__(self, model: Moves, start: World) -> None:
        self._model = model
        self._start = start
        self._result = SearchResult()
        self._came_from: dict[int, int] = {hash(start): 0}
        self._settles: list[int] = []
        """States in which the post may stay as it is, or whose future was not searched."""
        self._promises: dict[int, str] = {}
        """The promises that are broken by states that cannot settle, in the order in which they were seen."""
        self._from, self._to = array("q"), array("q")
        """Moves that happen by themselves, as pairs of states."""

    def run(self, most_states: int | None) -> SearchResult:
        began, edge = time.monotonic(), [self._start]
        result = self._result
        while edge and not self._is_enough(most_states):
            following: list[World] = []
            for at, world in enumerate(edge):
                if self._is_enough(most_states):
                    self._settles.extend(map(hash, edge[at:]))
                    break
                following.extend(self._visit(world))
            edge = following
            result.depth += 1
        self._settles.extend(map(hash, edge))
        result.complete = not self._is_enough(most_states)
        self._find_unsettled()
        result.seconds = time.monotonic() - began
        return result

    def _is_enough(self, most_states: int | None) -> bool:
        return most_states is not None and self._result.states >= most_states

    def _visit(self, world: World) -> Iterator[World]:
        own, result, came_from = hash(world), self._result, self._came_from
        result.states += 1
        promise = self._model.unsettled(world)
        if promise is None:
            self._settles.append(own)
        else:
            self._promises[own] = promise
        for label, after, broken in self._model.moves(world):
            result.moves += 1
            if broken is not None:
                if broken not in result.broken:
                    result.broken[broken] = [*self._way(own), label]
                if promise is not None:
                    # The states after a broken promise are not searched.
                    self._settles.append(own)
                continue
            key = hash(after)
            if promise is not None and label[0] not in "!~":
                self._from.append(own)
                self._to.append(key)
            if key not in came_from:
                came_from[key] = own
                yield after

    def _find_unsettled(self) -> None:
        """Find the first state from which the post cannot settle by itself."""
        before: dict[int, list[int]] = {}
        for source, target in zip(self._from, self._to, strict=True):
            before.setdefault(target, []).append(source)
        waiting, can = list(self._settles), set(self._settles)
        while waiting:
            for source in before.get(waiting.pop(), ()):
                if source not in can:
                    can.add(source)
                    waiting.append(source)
        for key, promise in self._promises.items():
            if key not in can and promise not in self._result.broken:
                self._result.broken[promise] = [*self._way(key), "from here it never settles by itself"]

    def _way(self, key: int) -> list[str]:
        """Return the moves that lead to a state, by walking back over the hashes and then replaying the moves."""
        keys = [key]
        while self._came_from[keys[-1]]:
            keys.append(self._came_from[keys[-1]])
        return list(self._replay(keys[-2::-1]))

    def _replay(self, keys: Iterable[int]) -> Iterator[str]:
        world = self._start
        for key in keys:
            label, world = next((label, after) for label, after, _ in self._model.moves(world) if hash(after) == key)
            yield label
