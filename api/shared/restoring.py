"""Refusal of writes while a restore from a backup is handled: the rows may be older than their clients' knowledge."""

import asyncio
from contextvars import Context

from sqlalchemy.exc import SQLAlchemyError

from domain.errors import Problem, Unavailable
from store.database import Database
from store.maintenance.restores import open_restore

FRESH_S = 2.0
"""The lifetime of the cached flag. It is read in the background; only the first request waits for that."""
_RETRY_AFTER_S = 30
_RESTORING = Problem(
    "This service was restored from a backup and is not ready for changes; ask again shortly", "unavailable"
)


class Restoring:
    """A cached flag: writes are refused while a restore is handled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refuses = False
        self._checked_at: float | None = None
        self._check: asyncio.Task[None] | None = None

    async def require_finished(self) -> None:
        """Raise Unavailable while a restore is handled."""
        now = asyncio.get_running_loop().time()
        if self._check is None and (self._checked_at is None or now - self._checked_at > FRESH_S):
            self._check = asyncio.create_task(self._refresh(), context=Context())
        if self._checked_at is None and self._check:
            await asyncio.shield(self._check)
        if self._refuses:
            raise Unavailable(_RESTORING, retry_after=_RETRY_AFTER_S)

    async def _refresh(self) -> None:
        try:
            async with self._database.reading() as session:
                self._refuses = await open_restore(session) is not None
        except (SQLAlchemyError, OSError):
            # The write itself will say that the database is away.
            pass
        finally:
            self._checked_at, self._check = asyncio.get_running_loop().time(), None
