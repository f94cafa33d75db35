"""Hold the connection pool, and hand out one transaction at a time."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.util import greenlet_spawn

_TRUSTED_FOR_S = 1.0


def _ping_after_idling(engine: AsyncEngine) -> None:
    """Ping a connection that has idled: a restart of PostgreSQL costs no request, and busy requests pay no ping."""

    @event.listens_for(engine.sync_engine, "checkin")
    def note(_: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ping(connection: Any, record: Any, _: Any) -> None:
        if engine.dialect.get_driver_connection(connection).is_closed():
            raise DisconnectionError
        if time.monotonic() - record.info.get("idle_since", time.monotonic()) < _TRUSTED_FOR_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
            # Makes the pool drop every connection of that age and open a new one.
            raise DisconnectionError from error


class Database:
    """Be one process's pool. Belongs to the event loop that first uses it."""

    def __init__(self, url: str, *, pool_size: int = 10, max_overflow: int = 10) -> None:
        # The connection that was used last knows its statements' plans best, and idles too shortly to be pinged.
        self.engine = create_async_engine(
            url, pool_size=pool_size, max_overflow=max_overflow, pool_use_lifo=True, hide_parameters=True
        )
        _ping_after_idling(self.engine)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._readers = async_sessionmaker(
            self.engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction: committed at the end of the block, rolled back on an exception."""
        async with self._sessions.begin() as session:
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a session whose every statement stands for itself: no round trips to begin and to commit."""
        async with self._readers() as session:
            yield session

    async def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement that stands for itself and return its rows; `$1` is the first argument.

        For the few statements that every post goes through: without SQLAlchemy's part they cost a quarter. Raises
        asyncpg's own errors.
        """
        connection = await self.engine.raw_connection()
        try:
            driver = cast("asyncpg.Connection", connection.driver_connection)
            return list(await driver.fetch(statement, *arguments))
        finally:
            # Where it is one too many for the pool, this closes it in its own time.
            await greenlet_spawn(connection.close)

    async def row(self, statement: str, *arguments: object) -> asyncpg.Record | None:
        """Run such a statement and return its first row."""
        return next(iter(await self.rows(statement, *arguments)), None)

    async def ping(self) -> None:
        """Raise where the database does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
