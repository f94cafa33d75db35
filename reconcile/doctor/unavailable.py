"""Sentences for people about a database or a Temporal that a command cannot use: what happened and what to do."""

import asyncpg
from sqlalchemy.exc import DBAPIError

from store.failures import is_database_unavailable

TEMPORAL_UNAVAILABLE = "Temporal does not answer. Does it run, and does TEMPORAL_ADDRESS name it?"
_FIND_THE_SESSION = (
    "Find the session and end it: SELECT pid, usename, query FROM pg_stat_activity"
    " WHERE pid = ANY (SELECT unnest(pg_blocking_pids(pid)) FROM pg_stat_activity)"
)
_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)
_OLD = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)
_LOCKED = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)


def explain_database_error(error: BaseException) -> str | None:
    """Return what is wrong with the database and what to do; None if the error is not the database's.

    The driver's own message is left out, because it may repeat a statement's arguments.
    """
    if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and error.filename is not None):
        return None
    own = _driver_error(error)
    if isinstance(own, _REFUSED):
        return f"The database refuses the login that SOCIALSYNCER_DATABASE_URL names ({type(own).__name__})."
    if isinstance(own, _OLD):
        return "The database lacks tables of this release: run `socialsyncer migrate`."
    if isinstance(own, _LOCKED):
        return "Another session has locked a table of the database: `socialsyncer doctor` says how to find it."
    if is_database_unavailable(error):
        return "The database does not answer. Does PostgreSQL run, and does SOCIALSYNCER_DATABASE_URL name it?"
    return None


def explain_to_the_doctor(error: BaseException) -> str:
    """Return the same for a check that a database error has ended; a locked table may be what it was to find."""
    own = _driver_error(error)
    if isinstance(own, asyncpg.LockNotAvailableError):
        return f"Another session has locked a table of the database, so nothing could be compared. {_FIND_THE_SESSION}"
    explanation = explain_database_error(error) or f"The database cannot be read ({type(own).__name__})."
    return f"{explanation} Nothing could be compared."


def _driver_error(error: BaseException) -> BaseException:
    # SQLAlchemy wraps the driver's own error twice.
    return (error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else None) or error
