"""Functions that distinguish an unavailable database from a mistake in our code."""

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

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
