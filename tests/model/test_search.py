"""The search itself: it visits every state once, finds the shortest way, and detects states that cannot settle."""

from collections.abc import Iterator

from tests.model.changes import first_world
from tests.model.post import LOST
from tests.model.search import Move, search
from tests.model.state import World

START = first_world()


class Counters:
    """Two counters, which can go up to a sum; if the left one is three, a promise is broken."""

    def __init__(self, last: int, *, by: str = "") -> None:
        self._last = last
        self._by = by

    def moves(self, world: World) -> Iterator[Move]:
        row = world.row
        if row.due + row.attempts < self._last:
            yield f"{self._by}right", world._replace(row=row._replace(due=row.due + 1)), None
            after = world._replace(row=row._replace(attempts=row.attempts + 1))
            yield "left", after, "three" if row.attempts == 2 else None
        yield "nothing", world, None

    def unsettled(self, world: World) -> str | None:
        return None if world.row.due == self._last else LOST


def test_every_state_is_visited_once() -> None:
    result = search(Counters(3), START)
    # From (1, 0) to sums of three.
    assert (result.states, result.moves, result.complete, result.depth) == (6, 12, True, 3)


def test_shortest_path_to_a_violation_is_reported() -> None:
    result = search(Counters(6), START)
    assert result.broken["three"] == ["left", "left", "left"]


def test_livelock_is_found() -> None:
    result = search(Counters(3), START)
    assert result.broken[LOST] == ["left", "from here it never settles by itself"]


def test_state_that_needs_a_person_counts_as_unsettled() -> None:
    for by in ("!", "~ "):
        assert search(Counters(2, by=by), START).broken[LOST] == ["from here it never settles by itself"]


def test_unsearched_state_is_not_stuck() -> None:
    result = search(Counters(50), START, 10)
    assert (result.states, result.complete, result.broken) == (10, False, {"three": ["left", "left", "left"]})
