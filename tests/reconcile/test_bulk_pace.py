"""Bulk deliveries are spread over their turn, give way to publications, and make up for it."""

import asyncio
from collections.abc import Callable
from math import inf

from reconcile.bulk_pace import LONGEST_TURN_S, BulkPace
from store.posts.delivery import FIRST_PAUSE
from tests.virtual_time import run_in_virtual_time

PER_S, LEAST = 100, 10
LONGEST_DEBT_S = 30
LONGEST_YIELD_S = 60


def moments(number: int, publishes: Callable[[float], bool] = lambda _: False, crowd_in_s: float = inf) -> list[float]:
    """Return the seconds of a turn at which its deliveries begin; `publishes` says of a second if the worker does."""

    async def take_turn() -> list[float]:
        time = asyncio.get_running_loop().time
        begin = time()
        pace = BulkPace(PER_S, lambda: publishes(time() - begin))
        pace.begin(number, crowd_in_s)

        async def moment() -> float | None:
            return time() - begin if await pace.wait() else None

        results = await asyncio.gather(*(moment() for _ in range(number)))
        begun = [at for at in results if at is not None]
        assert results == [*begun, *[None] * (number - len(begun))], "in the order of the calls"
        assert begun == sorted(begun)
        return begun

    return run_in_virtual_time(take_turn())


def in_second(begun: list[float], begin: float) -> int:
    return sum(begin <= at < begin + 1 for at in begun)


def test_a_turn_is_spread_over_its_second() -> None:
    begun = moments(PER_S)
    assert len(begun) == PER_S
    assert begun[-1] < 1
    assert max(in_second([10 * at for at in begun], begin) for begin in range(10)) <= PER_S / 8
    assert moments(PER_S // 2)[-1] < 0.5, "few posts are no later than the first of many"


def test_a_tenth_of_the_pace_is_left_while_the_worker_publishes() -> None:
    begun = moments(PER_S, lambda second: second >= 0.5)
    assert PER_S / 2 <= sum(at < 0.5 for at in begun) <= PER_S * 0.6
    assert abs(in_second(begun, 1) - LEAST) <= 1
    assert max(begun) < LONGEST_TURN_S < FIRST_PAUSE.total_seconds()
    assert len(moments(LEAST, lambda _: True)) == LEAST, "it never stands still"
    assert BulkPace(PER_S, lambda: True).most(inf) == LEAST
    assert BulkPace(1, lambda: True).most(inf) == 1


def test_a_turn_goes_on_as_soon_as_nothing_is_published() -> None:
    begun = moments(PER_S, lambda second: second < 0.5)
    assert len(begun) == PER_S
    assert abs(sum(at < 0.5 for at in begun) - LEAST / 2) <= 1
    assert begun[-1] < 1.5


def test_later_turns_deliver_half_as_many_again_after_slow_ones() -> None:
    pace, turns = BulkPace(PER_S, lambda: False), 0
    for _ in range(100):
        pace.end(LEAST, more_wait=True)
    while (most := pace.most(inf)) > PER_S:
        assert most <= PER_S * 3 / 2
        pace.end(most, more_wait=True)
        turns += 1
    assert turns == 2 * LONGEST_DEBT_S, "half a minute of the pace"


def test_a_turn_ends_two_seconds_before_a_crowd_is_due_and_none_begins_until_it_is_published() -> None:
    begun = moments(PER_S, crowd_in_s=2.5)
    assert abs(len(begun) - PER_S / 2) <= PER_S / 10
    assert begun[-1] < 0.5
    pace = BulkPace(PER_S, lambda: False)
    assert [pace.most(crowd_in_s) for crowd_in_s in (-5, 0, 2)] == [0, 0, 0]
    assert 0 < pace.most(2.1) <= PER_S / 5, "no more posts are claimed than the turn has time for"
    assert pace.most(3) == pace.most(inf)
    assert pace.crowd < PER_S
    assert BulkPace(1, lambda: False).crowd == pace.crowd, "two posts are no crowd"


def test_a_turn_of_three_seconds_counts_as_three() -> None:
    async def number_of_longer_turns() -> int:
        pace, turns = BulkPace(PER_S, lambda: False), 0
        pace.begin(PER_S, inf)
        await asyncio.sleep(3.1)
        pace.end(0, more_wait=True)
        while (most := pace.most(inf)) > PER_S:
            pace.end(most, more_wait=True)
            turns += 1
        return turns

    assert run_in_virtual_time(number_of_longer_turns()) == 2 * (5 + 3)


def test_bulk_work_gives_way_for_a_minute_at_most() -> None:
    publishes = True
    pace = BulkPace(PER_S, lambda: publishes)
    for _ in range(LONGEST_YIELD_S):
        assert (pace.most(0), pace.most(inf)) == (0, LEAST)
        pace.end(0, more_wait=True)
    for _ in range(LONGEST_YIELD_S):
        assert pace.most(0) == pace.most(inf) == PER_S / 2, "it does not stand still"
        pace.end(PER_S // 2, more_wait=True)
    publishes = False
    for _ in range(10):
        assert pace.most(inf) > PER_S
        pace.end(PER_S, more_wait=True)
    for crowd_in_s in range(10):
        assert pace.most(crowd_in_s) == (0 if crowd_in_s <= 2 else PER_S * 3 / 2)
    publishes = True
    for _ in range(10):
        assert pace.most(inf) == LEAST, "ten seconds in which nothing was published"
        pace.end(LEAST, more_wait=True)
    assert pace.most(inf) == PER_S / 2


def test_a_slow_temporal_does_not_end_the_giving_way() -> None:
    pace = BulkPace(PER_S, lambda: False)
    for _ in range(2 * LONGEST_YIELD_S):
        assert pace.most(inf) > PER_S
        pace.end(PER_S // 2, more_wait=True)
    assert pace.most(0) == 0


def test_only_the_time_until_posts_are_noticed_is_made_up_for_if_none_waited() -> None:
    pace, turns = BulkPace(PER_S, lambda: False), [0, 0]
    for number in range(2):
        while (most := pace.most(inf)) > PER_S:
            pace.end(most, more_wait=True)
            turns[number] += 1
        for _ in range(20):
            pace.end(0, more_wait=True)
        pace.end(3, more_wait=False)
    assert turns == [10, 10], "five seconds of the pace"


def test_late_deliveries_do_not_come_in_a_burst() -> None:
    async def number_after_a_stop() -> int:
        pace, time = BulkPace(PER_S, lambda: False), asyncio.get_running_loop().time
        pace.begin(PER_S, inf)
        await pace.wait()
        await asyncio.sleep(0.5)
        at, number = time(), 0
        while await pace.wait() and time() == at:
            number += 1
        return number

    assert 1 <= run_in_virtual_time(number_after_a_stop()) <= PER_S / 10
