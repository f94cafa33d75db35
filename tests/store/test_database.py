"""Connections that the server closed are replaced without an error, and workspaces share them."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import cast

import asyncpg
import pytest
from sqlalchemy import AsyncAdaptedQueuePool, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.loop_share import Holder
from store.database import Database, TimeLimits
from store.failures import is_database_unavailable
from tests.cli.parts import until
from tests.databases import new_database


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


async def test_a_connection_that_the_server_ended_is_replaced(postgres_url: str) -> None:
    url = await new_database(postgres_url)
    database = Database(url)
    try:
        for _ in range(3):
            before = await database.row("SELECT pg_backend_pid() AS pid, $1::text AS text", "é")
            assert before is not None
            assert before["text"] == "é"
            other = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string())
            await other.execute("SELECT pg_terminate_backend($1, 5000)", before["pid"])
            await other.close()
            after = await database.row("SELECT pg_backend_pid() AS pid")
            assert after is not None
            assert after["pid"] != before["pid"]
    finally:
        await database.close()


async def test_a_refused_connection_is_an_unavailable_database(postgres_url: str) -> None:
    url = await new_database(postgres_url)
    owner, database = Database(url), Database(url.replace("postgres@", "busy@"))
    async with owner.transaction() as session:
        await session.execute(text("CREATE ROLE busy LOGIN CONNECTION LIMIT 0"))
    for statement in (partial(database.row, "SELECT 1"), database.ping):
        with pytest.raises(Exception, match="too many connections") as error:
            await statement()
        assert is_database_unavailable(error.value)
    await owner.close()
    await database.close()


async def test_a_failed_statement_costs_no_connection(postgres_url: str) -> None:
    database = Database(await new_database(postgres_url), pool_size=1, max_overflow=0)
    try:
        for _ in range(3):
            with pytest.raises(asyncpg.DivisionByZeroError):
                await database.row("SELECT 1 / $1::int", 0)
        assert await database.row("SELECT 1 WHERE false") is None
    finally:
        await database.close()


async def test_a_connection_of_a_statement_is_there_for_a_transaction_at_once(postgres_url: str) -> None:
    limits = TimeLimits(statement=10, lock=5, connection=0.2)
    database = Database(await new_database(postgres_url), pool_size=2, max_overflow=0, limits=limits)
    try:
        for _ in range(3):
            await database.row("SELECT 1")
            async with database.transaction() as session, database.reading() as other:
                await session.execute(text("SELECT 1"))
                await other.execute(text("SELECT 1"))
    finally:
        await database.close()


async def test_transactions_that_wait_get_the_connections_of_statements(postgres_url: str) -> None:
    database = Database(await new_database(postgres_url), pool_size=2, max_overflow=0)

    async def state() -> None:
        while not over:
            await database.row("SELECT 1")
            await asyncio.sleep(0)

    async def transact() -> None:
        for _ in range(5):
            async with database.transaction() as session:
                await session.execute(text("SELECT 1"))

    over = False
    stating = [asyncio.create_task(state()) for _ in range(4)]
    try:
        await asyncio.gather(*(transact() for _ in range(3)))
    finally:
        over = True
        await asyncio.gather(*stating)
        await database.close()


async def test_connections_of_statements_are_returned_after_a_while(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.database._KEPT_FOR_S", 0.01)
    database = Database(await new_database(postgres_url))
    try:
        await asyncio.gather(*(database.row("SELECT 1") for _ in range(5)))
        pool = cast("AsyncAdaptedQueuePool", database.engine.pool)
        await until(lambda: pool.checkedout() == 0)
        assert pool.checkedin() == 5
    finally:
        await database.close()


async def test_json_is_read_as_it_was_written_and_belongs_to_its_row(postgres_url: str) -> None:
    database = Database(postgres_url)
    written: tuple[object, ...] = ({}, [], {"a": [1]}, [{}], "{}", "[]", None)
    texts = ", ".join(f"('{json.dumps(value)}'::jsonb)" for value in written)
    try:
        first, second = [
            [row["column1"] for row in await database.rows(f"SELECT * FROM (VALUES {texts}) AS t")] for _ in range(2)
        ]
        assert tuple(first) == written
        first[0]["changed"] = True
        first[1].append("changed")
        assert tuple(second) == written
        assert [row["column1"] for row in await database.rows("VALUES ('{}'::json), ('[]'::json)")] == [{}, []]
    finally:
        await database.close()
