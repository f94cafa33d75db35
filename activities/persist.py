"""Write down what a network answered even while the database restarts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError

log = structlog.get_logger(__name__)

R = TypeVar("R")
_DATABASE = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError)
_TRIES = 12
_LONGEST_S = 5.0


async def persist(write: Callable[[], Awaitable[R]]) -> R:
    """Run a transaction, again after a lost database for up to about 45 s.

    What is lost here is an answer of the network, which then has to be looked up there. Raises the last error.
    """
    for attempt in range(_TRIES):
        try:
            return await write()
        except (*_DATABASE, OSError) as error:
            if attempt == _TRIES - 1 or (isinstance(error, _DATABASE) and not _is_gone(error)):
                raise
            log.warning("database.away", reason=type(error).__name__)
            await asyncio.sleep(min(0.25 * 2**attempt, _LONGEST_S))
    raise AssertionError("unreachable: the last try returns or raises")


def _is_gone(error: Exception) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # 57P: the server shuts down or starts up; 08 and no state at all: the connection broke.
    state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    return state is None or str(state).startswith(("57P", "08"))
