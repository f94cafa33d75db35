"""Functions that distinguish an unavailable database from a mistake in our code."""

import asyncpg
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
    if isinstance(error, (PoolTimeout, OperationalError, InterfaceError, *_AWAY)):
        return True
    return isinstance(error, DBAPIError) and (error.connection_invalidated or isinstance(_cause(error), _AWAY))


def took_too_long(error: BaseException) -> bool:
    """Return whether a statement was ended because it, or its wait for a lock, took longer than allowed."""
    return isinstance(_cause(error) if isinstance(error, DBAPIError) else error, _SLOW)


def _cause(error: DBAPIError) -> BaseException | None:
    # SQLAlchemy's asyncpg dialect keeps the driver's own error as the cause of its translation.
    return error.orig.__cause__ if error.orig else None
