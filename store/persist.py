"""Writing of a platform's response even if the database is unavailable, restarts or has no free session."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from store.failures import is_database_unavailable

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
