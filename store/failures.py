"""Tell a database that is away from a mistake of ours."""

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_AWAY: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    OSError,
)


def database_away(error: BaseException) -> bool:
    """Tell whether an error of a query or connection says that the database cannot be used right now."""
    if isinstance(error, (PoolTimeout, OperationalError, InterfaceError, *_AWAY)):
        return True
    if not isinstance(error, DBAPIError):
        return False
    # SQLAlchemy's asyncpg dialect keeps the driver's own error as the cause of its translation.
    cause = error.orig.__cause__ if error.orig else None
    return error.connection_invalidated or isinstance(cause, _AWAY)
