"""The errors of an unavailable database, and the writing of a platform's response although it is unavailable."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import asyncpg
import structlog
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

log = structlog.get_logger(__name__)

R = TypeVar("R")
_TRIES = 12
_LONGEST_S = 5.0
"""The pause between two tries."""
_LAST_S = 5.0


async def persist(write: Callable[[], Coroutine[Any, Any, R]], *, tries: int = _TRIES) -> R:
    """Run a transaction, and repeat it while the database cannot be used: 12 tries take about 45 s.

    If a platform's response is lost here, the post must be confirmed there. So a step that is cancelled because its
    worker stops still writes it, if that can be done within 5 s. Raises the last error.
    """
    writing = asyncio.create_task(_persist(write, tries))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing}, timeout=_LAST_S)
        if not writing.done():
            writing.cancel()
            raise
        return writing.result()


async def _persist(write: Callable[[], Coroutine[Any, Any, R]], tries: int) -> R:
    for attempt in range(tries):
        try:
            return await write()
        except Exception as error:
            if attempt == tries - 1 or not is_database_unavailable(error):
                raise
            log.warning("database.away", reason=type(error).__name__)
            await asyncio.sleep(min(0.25 * 2 ** min(attempt, 10), _LONGEST_S))
    raise AssertionError("unreachable: the last try returns or raises")


_AWAY: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    # Too many connections, no room on disk, no memory.
    asyncpg.InsufficientResourcesError,
    # A statement or its wait for a lock took longer than `store.database.Limits` allow.
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    # A deadlock or a conflict: the same transaction may succeed if it is run again.
    asyncpg.TransactionRollbackError,
    # After a failover, this server is a standby.
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    OSError,
)


_SLOW = (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError)


def is_database_unavailable(error: BaseException) -> bool:
    """Return whether an error of a query or connection says that the database cannot be used now."""
    if isinstance(error, (PoolTimeout, OperationalError, InterfaceError, *_AWAY)) or isinstance(_cause(error), _AWAY):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def took_too_long(error: BaseException) -> bool:
    """Return whether a statement was ended because it, or its wait for a lock, took longer than allowed."""
    return isinstance(_cause(error) or error, _SLOW)


def _cause(error: BaseException) -> BaseException | None:
    # SQLAlchemy's asyncpg dialect keeps the driver's own error as the cause of its translation. The engine wraps that;
    # its pool, which `Pool.rows` asks for a connection, does not.
    translation = error.orig if isinstance(error, DBAPIError) else error
    return translation.__cause__ if isinstance(translation, AsyncAdapt_asyncpg_dbapi.Error) else None
