"""The shares of workspaces in the connections of one process."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.loop_share import Holder
from store.database import Database, TimeLimits


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(
        postgres_url, pool_size=4, max_overflow=4, limits=TimeLimits(statement=10, lock=5, connection=1)
    )
    yield database
    await database.close()


async def sleep(database: Database, workspace_id: str, seconds: float, how: str = "rows") -> None:
    with Holder() as holder:
        holder.workspace_id = workspace_id
        if how == "rows":
            await database.rows("SELECT pg_sleep($1)", seconds)
        else:
            async with database.transaction() if how == "transaction" else database.reading() as session:
                await session.execute(text(f"SELECT pg_sleep({seconds})"))


@pytest.mark.parametrize("how", ["rows", "transaction", "reading"])
async def test_a_workspace_leaves_connections_to_others(database: Database, how: str) -> None:
    flood = asyncio.gather(*(sleep(database, "flood", 0.5, how) for _ in range(100)), return_exceptions=True)
    await asyncio.sleep(0.1)
    await asyncio.gather(*(sleep(database, "other", 0, how) for _ in range(2)))
    assert not flood.done()
    outcomes = await flood
    # Half of the connections are the workspace's, for as long as its requests may wait; the rest got none in time.
    assert {type(outcome) for outcome in outcomes} == {type(None), PoolTimeout}
    assert 4 <= outcomes.count(None) <= 12
    # Nothing is lost: as many as the workspace's share are in use at the same time, with none that waits.
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(sleep(database, "flood", 0, how))


async def test_requests_of_waiting_workspaces_take_turns(database: Database) -> None:
    order: list[str] = []

    async def read(workspace_id: str) -> None:
        await sleep(database, workspace_id, 0.02)
        order.append(workspace_id)

    await asyncio.gather(*(read("flood") for _ in range(60)), *(read(f"other {n}") for n in range(8)))
    assert max(place for place, name in enumerate(order) if name != "flood") < 40


async def test_cancelled_requests_give_their_turn_back(database: Database) -> None:
    tasks = [asyncio.create_task(sleep(database, "flood", 0.2)) for _ in range(30)]
    await asyncio.sleep(0.05)
    for task in tasks[10:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(sleep(database, "flood", 0) for _ in range(30)))


async def test_code_that_has_a_connection_does_not_wait_for_itself(database: Database) -> None:
    async def nested() -> None:
        with Holder() as holder:
            holder.workspace_id = "one"
            async with database.transaction() as session:
                await session.execute(text("SELECT 1"))
                await asyncio.sleep(0.1)
                await database.rows("SELECT 1")

    await asyncio.gather(*(nested() for _ in range(4)))


async def test_the_service_itself_takes_no_share(database: Database) -> None:
    await asyncio.gather(*(database.rows("SELECT pg_sleep(0.1)") for _ in range(8)))
