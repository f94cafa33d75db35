"""A pooler in between is noticed before it breaks locks, notifications and limits; with a direct address all works."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from store.accounts.renewals import RenewalLocks
from store.database import OF_REQUESTS, Database
from store.dsn import parse_dsn
from store.migrate import upgrade
from store.pooler import PoolerError, check_connections, shares_sessions
from store.roles import Component
from tests.databases import ROLES, new_database, url_as
from tests.pgbouncer import PgBouncer, pgbouncer
from tests.postgres import postgres_server

_TRIES = 30


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Run a PostgreSQL of its own: the roles get limits, which hold for all databases of a server."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="module")
def bouncer(server: str) -> Iterator[PgBouncer]:
    with pgbouncer(server) as running:
        yield running


@pytest.fixture(scope="module")
async def url(server: str) -> str:
    return await new_database(server)


async def has_problem(url: str, *, direct_url: str | None = None, is_pooled: bool = False) -> str | None:
    """Return why a process would not start with these settings, None if it would."""
    database = Database(url, direct_url=direct_url, is_pooled=is_pooled, limits=OF_REQUESTS)
    try:
        await check_connections(database)
    except PoolerError as error:
        return str(error)
    finally:
        await database.close()
    return None


@asynccontextmanager
async def load(database: Database) -> AsyncIterator[None]:
    """Run statements of other clients for the length of the block."""

    async def ask() -> None:
        while True:
            await database.row("SELECT 1")

    clients = [asyncio.create_task(ask()) for _ in range(4)]
    try:
        yield
    finally:
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


async def test_a_process_refuses_a_pooler_without_the_settings_for_it(
    url: str, server: str, bouncer: PgBouncer
) -> None:
    api = url_as(url, Component.API)
    other = url_as(await new_database(server), Component.API)
    pooled = bouncer.url(api)
    assert await has_problem(api) is None
    assert "Set SOCIALSYNCER_DATABASE_DIRECT_URL" in str(await has_problem(pooled))
    assert "Set SOCIALSYNCER_DATABASE_DIRECT_URL" in str(await has_problem(pooled, is_pooled=True))
    assert "DIRECT_URL leads to a pooler" in str(await has_problem(api, direct_url=pooled))
    assert "Set SOCIALSYNCER_DATABASE_POOLER=transaction" in str(await has_problem(pooled, direct_url=api))
    assert "two databases or servers" in str(await has_problem(pooled, direct_url=other, is_pooled=True))
    with pgbouncer(server, ignore_startup_parameters="statement_timeout,lock_timeout") as silent:
        assert "ignores the time limits" in str(await has_problem(silent.url(api), direct_url=api))
    with pgbouncer(server, pool_mode="session", ignore_startup_parameters="statement_timeout,lock_timeout") as sessions:
        assert not await shares_sessions(parse_dsn(sessions.url(api)))
        assert "ignores the time limits" in str(await has_problem(sessions.url(api)))


async def test_a_pooler_is_noticed_while_others_use_it_too(url: str, bouncer: PgBouncer) -> None:
    busy, direct = Database(bouncer.url(url), is_pooled=True), Database(url)
    async with load(busy), load(direct):
        for _ in range(5):
            assert await shares_sessions(parse_dsn(bouncer.url(url)))
            assert not await shares_sessions(parse_dsn(url))
    await busy.close()
    await direct.close()


async def test_roles_get_the_limits_that_a_pooler_cannot_pass_on(server: str, bouncer: PgBouncer) -> None:
    url = await new_database(server)
    api = url_as(url, Component.API)
    assert "has no time limits. Run `socialsyncer migrate`" in str(
        await has_problem(bouncer.url(api), direct_url=api, is_pooled=True)
    )
    await upgrade(url, [dataclasses.replace(role, has_limits=True) for role in ROLES])
    bouncer.stop()
    bouncer.start()
    expected = {Component.API: ("10s", "5s", "1min"), Component.WORKER: ("30s", "10s", "2min")}
    for component, limits in expected.items():
        direct = url_as(url, component)
        assert await has_problem(bouncer.url(direct), direct_url=direct, is_pooled=True) is None
        database = Database(bouncer.url(direct), direct_url=direct, is_pooled=True)
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        row = await database.row("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
        assert row is not None
        assert tuple(row) == limits
        await database.close()


async def test_a_renewal_is_locked_for_other_processes_and_free_after_it(url: str, bouncer: PgBouncer) -> None:
    databases = [Database(bouncer.url(url), direct_url=url, is_pooled=True) for _ in range(2)]
    one, other = (RenewalLocks(database.locks) for database in databases)
    broken = 0
    async with load(databases[0]):
        for number in range(_TRIES):
            key = ("ws_1", f"acc_{number}")
            taken = await one.take(key), await other.take(key)
            await one.release(key)
            broken += taken != (True, False) or not await other.take(key)
            await other.release(key)
    assert broken == 0
    for locks, database in zip((one, other), databases, strict=True):
        await locks.close()
        await database.close()
