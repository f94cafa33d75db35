"""No request goes to a platform while a session of the database is held: it fails immediately with SessionHeld."""

import asyncio

import httpx
import pytest

from domain.shares import SessionHeld, demand_no_session
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
