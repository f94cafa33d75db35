"""An address that names several hosts leads every connection to the one that allows writes."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import make_url

from store import hosts
from store.announcer import Outcomes
from store.database import OF_REQUESTS, Database
from store.dsn import parse_dsn
from store.failures import is_database_unavailable
from tests.databases import new_database
from tests.standby import Replicated, replicated_server

_WAITS_S = 60.0
_LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'socialsyncer-api-listener%'"
_WRITE = "UPDATE workspaces SET name = name"


@pytest.fixture
def servers() -> Iterator[Replicated]:
    with replicated_server(synchronous=True, synchronous_commit="remote_apply") as running:
        yield running


async def write(database: Database) -> None:
    """Write as a transaction of a session does."""
    async with database.transaction() as session:
        await (await session.connection()).exec_driver_sql(_WRITE)


async def errors_of_writes(database: Database) -> list[BaseException]:
    """Write over each pool of a process, one after the other; return what fails."""
    writes = [pool.rows(_WRITE) for pool in (database, database.answers, database.locks)]
    results = [(await asyncio.gather(coroutine, return_exceptions=True))[0] for coroutine in (*writes, write(database))]
    return [result for result in results if isinstance(result, BaseException)]


async def until_writes_succeed(database: Database) -> None:
    """Write until nothing fails. Until then each error must say that the database is unavailable."""
    async with asyncio.timeout(_WAITS_S):
        while errors := await errors_of_writes(database):
            assert all(map(is_database_unavailable, errors)), errors
            await asyncio.sleep(0.1)


@pytest.mark.thorough
async def test_all_connections_follow_a_promotion(servers: Replicated) -> None:
    url = servers.url(await new_database(servers.primary.url))
    database, outcomes = Database(url, limits=OF_REQUESTS, purpose="api"), Outcomes(url)
    await outcomes.start()
    try:
        assert await errors_of_writes(database) == []
        servers.primary.kill()
        # A standby answers, and refuses to be written.
        errors = await errors_of_writes(database)
        assert len(errors) == 4
        assert all(map(is_database_unavailable, errors)), errors
        with pytest.raises(OSError, match="no host"):
            await parse_dsn(url).connect("check")
        servers.promote()
        await until_writes_succeed(database)
        async with asyncio.timeout(_WAITS_S):
            while not (await database.rows(_LISTENERS))[0][0]:  # noqa: ASYNC110 PostgreSQL has no event for it
                await asyncio.sleep(0.1)
    finally:
        await outcomes.close()
        await database.close()


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    """Listen as a machine that is frozen: connections are accepted, and nothing answers."""

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_silent_host_takes_its_share_of_the_time_once(
    postgres_url: str, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "CONNECT_S", 2.0)
    server = make_url(postgres_url)
    addresses = (f"127.0.0.1:{silent_port}", f"127.0.0.1:{server.port}")
    url = server.set(host=None, port=None, database="postgres").update_query_dict({"host": addresses})
    database = Database(url.render_as_string(hide_password=False))
    try:
        began = time.monotonic()
        await database.rows("SELECT 1")
        first = time.monotonic()
        await database.answers.rows("SELECT 1")
        assert first - began > 0.9
        assert time.monotonic() - first < 0.9
    finally:
        await database.close()
