"""Locks that last as long as the process that renews an account, in addition to the lease in the row.

A lease expires by the clock, whatever its holder does. If the holder is frozen after a response came, the next process
would use the same refresh token, and the response would be lost. A session's lock ends with its process instead. All
locks of a process are held over one connection, so a slow platform takes no connection from other work.
"""

import asyncio
from typing import cast

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from store.accounts.renewals import Key
from store.database import Pool

_CONNECTION_GONE = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError, OSError)
_NAME = "hashtextextended('socialsyncer.renewals.' || $1 || '/' || $2, 0)"
"""As in `store.locks`."""


class RenewalLocks:
    """The locks of one process. Belongs to the event loop that first uses it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: AsyncConnection | None = None
        self._turn = asyncio.Lock()
        self._taken: set[Key] = set()
        """The keys that this process holds, because PostgreSQL grants a session a lock again that it already has."""

    async def take(self, key: Key) -> bool:
        """Take a lock if no process has it, this one included; return whether it was taken.

        Raises what SQLAlchemy and asyncpg raise if the database is unavailable.
        """
        async with self._turn:
            if key in self._taken:
                return False
            try:
                taken = await self._try(key)
            except _CONNECTION_GONE:
                # PostgreSQL has restarted since the connection was used last, and its locks are gone with it.
                await self._drop()
                taken = await self._try(key)
            if taken:
                self._taken.add(key)
            return taken

    async def _try(self, key: Key) -> bool:
        driver = await self._driver()
        return bool(await driver.fetchval(f"SELECT pg_try_advisory_lock({_NAME})", *key))

    async def release(self, key: Key) -> None:
        """Release an account's lock. If the connection is gone, the lock is gone with it."""
        async with self._turn:
            self._taken.discard(key)
            if self._connection is None:
                return
            try:
                driver = await self._driver()
                await driver.fetchval(f"SELECT pg_advisory_unlock({_NAME})", *key)
            except _CONNECTION_GONE:
                await self._drop()

    async def close(self) -> None:
        """Release every lock."""
        async with self._turn:
            await self._drop()

    async def _driver(self) -> asyncpg.Connection:
        if self._connection is not None:
            raw = await self._connection.get_raw_connection()
            driver = cast("asyncpg.Connection", raw.driver_connection)
            if not driver.is_closed():
                return driver
            await self._drop()
        self._connection = await self._pool.engine.connect()
        raw = await self._connection.get_raw_connection()
        return cast("asyncpg.Connection", raw.driver_connection)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # If the connection were returned to the pool, it would keep its locks.
            await connection.invalidate()
            await connection.close()
