"""Refuse writes while a restore from a backup is dealt with: what they rest on may be of an older day."""

import asyncio
from contextvars import Context

from sqlalchemy.exc import SQLAlchemyError

from domain.errors import Problem, Unavailable
from store.database import Database
from store.maintenance.restores import open_restore

FRESH_S = 2.0
"""How long what was seen is good for. It is looked at beside requests, so none waits for that but the first."""
_RETRY_AFTER_S = 30
_RESTORING = Problem(
    "This service was restored from a backup and is not ready for changes; ask again shortly", "unavailable"
)


class Restoring:
    """A cached flag: writes are refused while a restore is handled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refuses = False
        self._looked_at: float | None = None
        self._look: asyncio.Task[None] | None = None

    async def require_over(self) -> None:
        """Return if writes are taken. Raises Unavailable while a restore is dealt with."""
        now = asyncio.get_running_loop().time()
        if self._look is None and (self._looked_at is None or now - self._looked_at > FRESH_S):
            self._look = asyncio.create_task(self._see(), context=Context())
        if self._looked_at is None and self._look:
            await asyncio.shield(self._look)
        if self._refuses:
            raise Unavailable(_RESTORING, retry_after=_RETRY_AFTER_S)

    async def _see(self) -> None:
        try:
            async with self._database.reading() as session:
                self._refuses = await open_restore(session) is not None
        except (SQLAlchemyError, OSError):
            # The write itself will say that the database is away.
            pass
        finally:
            self._looked_at, self._look = asyncio.get_running_loop().time(), None
