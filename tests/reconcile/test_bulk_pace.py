"""Bulk deliveries are spread over their turn, give way to publications, and make up for it."""

import asyncio
from collections.abc import Callable

from reconcile.bulk_pace import LONGEST_TURN_S, BulkPace
from store.posts.delivery import FIRST_PAUSE
from tests.virtual_time import run_in_virtual_time

PER_S, LEAST = 100, 10


def moments(number: int, publishes: Callable[[float], bool] = lambda _: False) -> list[float]:
    """Return the seconds of a turn at which its deliveries begin; `publishes` says of a second if the worker does."""

    async def take_turn() -> list[float]:
        time = asyncio.get_running_loop().time
        begin = time()
        pace = BulkPace(PER_S, lambda: publishes(time() - begin))
        pace.begin(number)

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
    assert BulkPace(PER_S, lambda: True).most == LEAST
    assert BulkPace(1, lambda: True).most == 1


def test_a_turn_goes_on_as_soon_as_nothing_is_published() -> None:
    begun = moments(PER_S, lambda second: second < 0.5)
    assert len(begun) == PER_S
    assert abs(sum(at < 0.5 for at in begun) - LEAST / 2) <= 1
    assert begun[-1] < 1.5


def test_later_turns_deliver_half_as_many_again_after_slow_ones() -> None:
    pace, turns = BulkPace(PER_S, lambda: False), 0
    for _ in range(60):
        pace.end(LEAST, more_wait=True)
    while (most := pace.most) > PER_S:
        assert most <= PER_S * 3 / 2
        pace.end(most, more_wait=True)
        turns += 1
    assert turns == 60, "half a minute of the pace"


def test_only_the_time_until_posts_are_noticed_is_made_up_for_if_none_waited() -> None:
    pace, turns = BulkPace(PER_S, lambda: False), [0, 0]
    for number in range(2):
        while (most := pace.most) > PER_S:
            pace.end(most, more_wait=True)
            turns[number] += 1
        for _ in range(20):
            pace.end(0, more_wait=True)
        pace.end(3, more_wait=False)
    assert turns == [10, 10], "five seconds of the pace"


def test_late_deliveries_do_not_come_in_a_burst() -> None:
    async def number_after_a_stop() -> int:
        pace, time = BulkPace(PER_S, lambda: False), asyncio.get_running_loop().time
        pace.begin(PER_S)
        await pace.wait()
        await asyncio.sleep(0.5)
        at, number = time(), 0
        while await pace.wait() and time() == at:
            number += 1
        return number

    assert 1 <= run_in_virtual_time(number_after_a_stop()) <= PER_S / 10
