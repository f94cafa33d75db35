"""Rates: uses come back with time, and no holder takes another's."""

import pytest

from domain.errors import Problem, TooManyRequests
from domain.request_limits import _MOST_HOLDERS, Rates

PROBLEM = Problem("Too much", "rate_limited")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_uses_come_back_and_belong_to_one_holder() -> None:
    clock = Clock()
    rates = Rates(2, 3, PROBLEM, clock)
    for _ in range(3):
        rates.take("a")
    with pytest.raises(TooManyRequests) as error:
        rates.take("a")
    assert error.value.retry_after == 1
    rates.take("b")
    clock.now += 0.5
    rates.take("a")
    with pytest.raises(TooManyRequests):
        rates.take("a")
    clock.now += 100
    for _ in range(3):
        rates.take("a")
    with pytest.raises(TooManyRequests):
        rates.take("a")


def test_a_rate_of_0_takes_any_number() -> None:
    rates = Rates(0, 1, PROBLEM)
    for _ in range(10):
        rates.take("a")


def test_a_holder_that_takes_more_waits_for_it() -> None:
    clock = Clock()
    rates = Rates(1000, 1000, clock=clock)
    assert rates.wait_after("a", 900) == 0
    assert round(rates.wait_after("a", 200), 6) == 0.1
    assert round(rates.wait_after("a", 100), 6) == 0.2
    assert rates.wait_after("b", 1000) == 0
    clock.now += 0.5
    assert rates.wait_after("a", 100) == 0
    clock.now += 60
    assert rates.wait_after("a", 1000) == 0
    assert rates.wait_after("a", 500) == 0.5


def test_a_holder_owes_no_more_than_the_longest_wait() -> None:
    clock = Clock()
    rates = Rates(20, 10, clock=clock, longest_s=4)
    waits = [rates.wait_after("a") for _ in range(400)]
    assert waits[:10] == [0.0] * 10
    assert waits[10:13] == pytest.approx([0.05, 0.1, 0.15])
    assert max(waits) == pytest.approx(4.05)
    clock.now += 4
    assert rates.wait_after("a") > 0
    clock.now += 1
    assert rates.wait_after("a") == 0


def test_remembered_holders_are_limited() -> None:
    rates = Rates(1000, 1000)
    for number in range(_MOST_HOLDERS + 10):
        rates.wait_after(f"{number}")
    assert len(rates._full_at) == _MOST_HOLDERS
