"""Connections that the server closed while idle are replaced without an error."""

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from store.database import Database
from tests.databases import new_database


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


async def test_a_failed_statement_costs_no_connection(postgres_url: str) -> None:
    database = Database(await new_database(postgres_url), pool_size=1, max_overflow=0)
    try:
        for _ in range(3):
            with pytest.raises(asyncpg.DivisionByZeroError):
                await database.row("SELECT 1 / $1::int", 0)
        assert await database.row("SELECT 1 WHERE false") is None
    finally:
        await database.close()
