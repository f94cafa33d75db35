"""Sentences for people about a database that a command cannot use."""

import asyncpg
from sqlalchemy.exc import DBAPIError

from store.failures import is_database_unavailable

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
    # SQLAlchemy wraps the driver's own error twice.
    own = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(own, _REFUSED):
        return f"The database refuses the login that SOCIALSYNCER_DATABASE_URL names ({type(own).__name__})."
    if isinstance(own, _OLD):
        return "The database lacks tables of this release: run `socialsyncer migrate`."
    if isinstance(own, _LOCKED):
        return "Another session has locked a table of the database: `socialsyncer doctor` says how to find it."
    if is_database_unavailable(error):
        return "The database does not answer. Does PostgreSQL run, and does SOCIALSYNCER_DATABASE_URL name it?"
    return None
