"""The rounds of a background task, which continue if a part is unavailable for a while."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain.errors import Unavailable

log = structlog.get_logger(__name__)

PART_UNAVAILABLE = (Unavailable, SQLAlchemyError, OSError)
"""What a round raises if Temporal or the database is unavailable."""


async def repeat(work: Callable[[], Awaitable[object]], every_s: float, postponed: str) -> None:
    """Run a round of work, again and again, with a pause of `every_s` seconds.

    If a part is unavailable, the event `postponed` is logged, and the next round tries again.
    """
    while True:
        try:
            await work()
        except PART_UNAVAILABLE as error:
            log.warning(postponed, reason=type(error).__name__)
        await asyncio.sleep(every_s)
