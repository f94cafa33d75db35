"""No workspace takes resources that another needs, and none asks a platform while it holds a session."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.shares import Exhausted, SessionHeld, Share, Shares, demand_no_session
from platforms.errors import ErrorKind, PlatformError
from platforms.http.transport import Transport
from platforms.http.wire import Wire
from store.database import Database
from tests.stack import Stack


def wire(transport: httpx.AsyncBaseTransport, url: str) -> Wire:
    return Wire(transport, url, "Test", lambda _: PlatformError(ErrorKind.REJECTED, "No.", code="no"))


@pytest.mark.parametrize("reads", [False, True])
async def test_no_platform_is_asked_inside_a_transaction(stack: Stack, *, reads: bool) -> None:
    async with Transport() as transport:
        asks = wire(transport, stack.sandbox_url)
        async with stack.database.reading() if reads else stack.database.transaction():
            with pytest.raises(SessionHeld):
                await asks.send("GET", "/_/health")
            with pytest.raises(SessionHeld):
                await asyncio.create_task(asks.send("GET", "/_/health"))
        assert (await asks.send("GET", "/_/health")).is_success


async def test_a_transaction_inside_another_does_not_lift_the_ban(stack: Stack) -> None:
    async with stack.database.transaction():
        async with stack.database.answers.transaction():
            pass
        with pytest.raises(SessionHeld):
            demand_no_session()
    demand_no_session()


async def test_task_that_outlives_the_transaction_may_send(stack: Stack) -> None:
    over = asyncio.Event()

    async def later() -> None:
        await over.wait()
        demand_no_session()

    async with stack.database.transaction():
        task = asyncio.create_task(later())
    over.set()
    await task


async def test_a_failed_transaction_is_over(database_that_is_away: Database) -> None:
    with pytest.raises(ConnectionRefusedError):
        async with database_that_is_away.transaction() as session:
            await session.connection()
    demand_no_session()


@pytest.fixture
def database_that_is_away() -> Database:
    return Database("postgresql+asyncpg://nobody@127.0.0.1:1/none")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(shares: Shares, holder: str) -> list[Share]:
    """Take one unit after another until none is left."""
    mine: list[Share] = []
    while True:
        try:
            mine.append(shares.take(holder))
        except Exhausted:
            return mine


def test_one_holder_gets_half_and_the_next_half_of_the_rest() -> None:
    shares = Shares(60)
    assert [len(taken(shares, name)) for name in "abc"] == [30, 15, 7]
    assert shares.free == 8
    assert shares.held_by("a") == 30


def test_holders_that_come_and_go_end_with_equal_shares() -> None:
    shares = Shares(60)
    mine = {name: taken(shares, name) for name in "ab"}
    for _ in range(60):
        for name in "ab":
            if mine[name]:
                mine[name].pop().release()
            mine[name] += taken(shares, name)
    assert {name: len(held) for name, held in mine.items()} == {"a": 20, "b": 20}


def test_a_holder_has_no_more_than_each_may() -> None:
    shares = Shares(60, most_per_holder=10)
    assert [len(taken(shares, name)) for name in "abcdef"] == [10, 10, 10, 10, 10, 5]
    assert (shares.most, Shares(60).most) == (10, 30)


def test_released_twice_is_free_once() -> None:
    shares = Shares(4)
    with shares.take("a") as share:
        share.release()
    share.release()
    assert (shares.free, shares.held_by("a")) == (4, 0)
    with pytest.raises(ValueError, match="given back"):
        share.resize(1)


def test_a_share_that_may_not_grow_stays_as_it_was() -> None:
    shares = Shares(100)
    share = shares.take("a", 40)
    with pytest.raises(Exhausted):
        share.resize(51)
    assert (share.amount, shares.free) == (40, 60)
    share.resize(50)
    share.resize(10)
    assert shares.free == 90


def test_exhausted_reports_the_excess() -> None:
    shares = Shares(100)
    first, second = shares.take("a", 30), shares.take("a", 20)
    with pytest.raises(Exhausted) as caught:
        shares.take("a", 40)
    assert (caught.value.shares, caught.value.missing) == (shares, 40)
    first.release()
    second.resize(10)
    assert shares.take("a", 40).amount == 40


def test_exhausted_reports_the_release_interval() -> None:
    clock = Clock()
    shares = Shares(60, most_per_holder=10, clock=clock)
    taken(shares, "a")
    with pytest.raises(Exhausted) as caught:
        shares.take("a")
    assert caught.value.interval == pytest.approx(0.02)
    clock.now = 30
    with pytest.raises(Exhausted) as caught:
        shares.take("a")
    assert caught.value.interval == pytest.approx(3)


@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 50), st.booleans()), max_size=200),
)
def test_no_holder_gets_more_than_half_and_no_unit_is_lost(total: int, wishes: list[tuple[str, int, bool]]) -> None:
    shares, held = Shares(total), list[Share]()
    for holder, amount, leaves in wishes:
        if leaves and held:
            held.pop(amount % len(held)).release()
        try:
            held.append(shares.take(holder, amount))
        except Exhausted:
            # The requested amount would have left the others less than itself.
            assert shares.held_by(holder) + amount > shares.free - amount
        by_holder = Counter[str]()
        for share in held:
            by_holder[share.holder] += share.amount
        assert shares.free == total - by_holder.total() >= 0
        assert all(2 * units <= total for units in by_holder.values())


def test_threads_take_no_more_than_there_is() -> None:
    shares = Shares(1000)

    def take_and_grow(number: int) -> int:
        share = shares.take(f"holder {number % 4}", 0)
        try:
            for size in range(1, 300):
                share.resize(size)
        except Exhausted:
            pass
        return share.amount

    with ThreadPoolExecutor(8) as threads:
        amounts = list(threads.map(take_and_grow, range(8)))
    assert shares.free == 1000 - sum(amounts) >= 0
