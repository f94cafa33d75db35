"""The sessions of a process at the database."""

import asyncio

import pytest
from pydantic import SecretStr

from runtime.database import open_database
from runtime.settings import Settings
from store.database import OF_STEPS, Database
from store.roles import Component
from tests.stack import Stack

_MOST = 6


async def test_a_burst_of_statements_finds_the_sessions_of_the_burst_before(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.database._KEPT_FOR_S", 0.01)
    url = SecretStr(stack.database_url.replace("+asyncpg", ""))
    database = open_database(
        Settings(_env_file=None, database_url=url, database_connections=_MOST), OF_STEPS, Component.WORKER
    )

    async def burst() -> set[int]:
        rows = await asyncio.gather(
            *(database.row("SELECT pg_backend_pid() AS pid FROM pg_sleep(0.1)") for _ in range(_MOST))
        )
        await asyncio.sleep(0.05)
        return {row["pid"] for row in rows if row}

    try:
        first = await burst()
        assert len(first) == _MOST
        assert await burst() == first
    finally:
        await database.close()


async def test_a_connection_that_is_used_while_its_pool_is_closed_is_closed_afterwards(stack: Stack) -> None:
    database = Database(stack.database_url)
    async with database.reading() as session:
        driver = (await (await session.connection()).get_raw_connection()).driver_connection
        assert driver is not None
        await database.close()
        assert not driver.is_closed()
    assert driver.is_closed()
