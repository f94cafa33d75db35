"""The check of a process whether a pooler between it and the database takes away what its work relies on.

With PgBouncer in transaction mode, a session's lock stays with a session that the next client gets, notifications reach
no listener, and a time limit that was set is lost, all without an error.
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from store.database import Database
from store.dsn import Dsn

_TRIES = 20
_WAITS_S = 5.0
_PID = "SELECT pg_backend_pid()"
_SERVER = "SELECT current_database(), pg_postmaster_start_time()"
_LIMITS = """
SELECT current_user AS role, current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock
"""
_PAGE = "docs/database-connections.md explains it."


class PoolerError(Exception):
    """An error: a pooler in between makes work unsafe. The message says what to set."""


async def check_connections(database: Database) -> None:
    """Check that the direct address leads to no pooler, and that statements have time limits. Raises PoolerError.

    Raises asyncpg's and SQLAlchemy's errors if the database is unavailable.
    """
    if await shares_sessions(database.direct):
        if database.direct == database.dsn:
            raise PoolerError(
                "A pooler between this process and PostgreSQL gives the statements of one connection to several "
                "sessions. Locks and notifications would break, so accounts would be lost. Set "
                "SOCIALSYNCER_DATABASE_DIRECT_URL to PostgreSQL's own address, and "
                f"SOCIALSYNCER_DATABASE_POOLER=transaction. {_PAGE}"
            )
        raise PoolerError(
            "SOCIALSYNCER_DATABASE_DIRECT_URL leads to a pooler that gives the statements of one connection to several "
            f"sessions. It must be PostgreSQL's own address. {_PAGE}"
        )
    try:
        await _check_pool(database)
    except Exception as error:
        if "unsupported startup parameter" not in str(error):
            raise
        raise PoolerError(
            "A pooler between this process and PostgreSQL does not take the time limits of a connection. Set "
            f"SOCIALSYNCER_DATABASE_POOLER=transaction. {_PAGE}"
        ) from None


async def _check_pool(database: Database) -> None:
    if database.direct != database.dsn:
        connection = await database.direct.connect(database.purpose)
        try:
            server = await connection.fetchrow(_SERVER)
        finally:
            await connection.close()
        if server != await database.row(_SERVER):
            raise PoolerError(
                "SOCIALSYNCER_DATABASE_URL and SOCIALSYNCER_DATABASE_DIRECT_URL lead to two databases or servers. "
                f"Both must be the same. {_PAGE}"
            )
    limits = await database.row(_LIMITS)
    if limits and "0" in {limits["statement"], limits["lock"]}:
        if not database.is_pooled:
            raise PoolerError(
                "A pooler between this process and PostgreSQL ignores the time limits of a connection. Set "
                f"SOCIALSYNCER_DATABASE_POOLER=transaction. {_PAGE}"
            )
        raise PoolerError(
            f"The database role {limits['role']} has no time limits. Run `socialsyncer migrate` with "
            "SOCIALSYNCER_DATABASE_POOLER=transaction, and let the pooler connect again (PgBouncer: RECONNECT). "
            + _PAGE
        )


async def shares_sessions(dsn: Dsn) -> bool:
    """Return whether a pooler gives the statements of one connection to several of PostgreSQL's sessions.

    While one connection is within a transaction, its session is its own. If another connection had that session before,
    or has another one now, the sessions are shared. Many tries, because other clients use the same sessions.
    """
    async with _connection(dsn) as one, _connection(dsn) as other:
        for _ in range(_TRIES):
            before = await one.fetchval(_PID, timeout=_WAITS_S)
            async with other.transaction():
                if await other.fetchval(_PID, timeout=_WAITS_S) == before:
                    return True
                if await one.fetchval(_PID, timeout=_WAITS_S) != before:
                    return True
        return False


@asynccontextmanager
async def _connection(dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    connection = await dsn.connect("check")
    try:
        yield connection
    finally:
        with contextlib.suppress(Exception):
            await connection.close(timeout=1)
