"""Write down what a network answered even while the database restarts."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError

log = structlog.get_logger(__name__)

R = TypeVar("R")
_DATABASE = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError)
_TRIES = 12
_LONGEST_S = 5.0


_LAST_S = 5.0


async def persist(write: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Run a transaction, again after a lost database for up to about 45 s.

    What is lost here is an answer of the network, which then has to be looked up there. So a step that is cancelled
    (its worker stops) writes it down all the same, if that can be done within 5 s. Raises the last error.
    """
    writing = asyncio.create_task(_persist(write))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing}, timeout=_LAST_S)
        if not writing.done():
            writing.cancel()
            raise
        return writing.result()


async def _persist(write: Callable[[], Coroutine[Any, Any, R]]) -> R:
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
