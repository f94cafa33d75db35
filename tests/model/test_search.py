"""The search itself: it visits everything once, and knows the shortest way."""

from collections.abc import Iterator

from tests.model.post import LOST, start_of
from tests.model.search import Move, search
from tests.model.state import World

START = start_of()


class Counter:
    """A clock that two hands can move; at three in all a promise is broken."""

    def __init__(self, last: int) -> None:
        self._last = last

    def moves(self, world: World) -> Iterator[Move]:
        row = world.row
        if row.due + row.attempts < self._last:
            yield "right", world._replace(row=row._replace(due=row.due + 1)), None
            after = world._replace(row=row._replace(attempts=row.attempts + 1))
            yield "left", after, "three" if row.due + row.attempts == 3 else None
        yield "!nothing", world, None

    def unsettled(self, world: World) -> str | None:
        return LOST if world.row.due == self._last else None


def test_every_state_is_visited_once() -> None:
    found = search(Counter(2), START)
    # From (1, 0): (2, 0) and (1, 1).
    assert (found.states, found.complete, found.depth) == (3, True, 2)


def test_the_shortest_way_to_a_broken_promise_is_told() -> None:
    found = search(Counter(6), START)
    assert found.broken["three"] == ["right", "right", "left"]


def test_a_state_in_which_only_others_can_do_something_must_be_settled() -> None:
    found = search(Counter(4), START)
    assert found.broken[LOST] == ["right", "right", "right", "nothing more happens"]


def test_a_search_ends_after_so_many_states() -> None:
    found = search(Counter(50), START, 10)
    assert (found.states, found.complete) == (10, False)
