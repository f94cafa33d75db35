"""The connections of one process to PostgreSQL, their time limits, and what is forbidden while one is held."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any, cast

import asyncpg
from sqlalchemy import AsyncAdaptedQueuePool, PoolProxiedConnection, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.util import greenlet_spawn

from domain.loop_share import current_holder
from domain.shares import Share, Shares, Turns, holding_session, is_session_held
from store.announcer import Announcer, announcements
from store.dsn import Dsn, application_name, parse_dsn


class SessionShares:
    """A share of sessions for each workspace; a workspace that has its share waits for its own sessions.

    Code that runs for no workspace takes none, and neither does code that already has a session: it would wait for
    itself.
    """

    def __init__(self, total: int, timeout: float) -> None:
        shares = Shares(total)
        self._turns = Turns(shares)
        self._has_shares = shares.most > 0
        self._timeout = timeout

    async def take(self) -> Share | None:
        """Take a session's share, to be passed to `release`. Raises sqlalchemy's TimeoutError."""
        holder = current_holder()
        if holder is None or not self._has_shares or is_session_held():
            return None
        if share := self._turns.take_now(holder):
            return share
        try:
            async with asyncio.timeout(self._timeout):
                return await self._turns.take(holder)
        except TimeoutError:
            raise PoolTimeout("the workspace has its share of the connections") from None

    def release(self, share: Share | None) -> None:
        """Give a share back, to those who wait."""
        if share is not None:
            self._turns.release(share)


_TRUSTED_FOR_S = 1.0
_KEEPALIVES = {"tcp_keepalives_idle": "20", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
"""TCP keepalive: seconds of silence, seconds between two probes, and number of probes without a response."""
_KEPT_FOR_S = 0.5
"""How long `Pool.rows` keeps its connections: to return one and get it again costs as much as a short statement."""
_DRIVER_WAITS_S = 5.0
"""How much longer than PostgreSQL the driver waits for the end of a statement."""


def _ping_after_idling(engine: AsyncEngine) -> None:
    """Ping a connection that was idle: no request fails after a restart of PostgreSQL, and busy ones need no ping."""

    @event.listens_for(engine.sync_engine, "checkin")
    def remember_time(_: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ping(connection: Any, record: Any, _: Any) -> None:
        if engine.dialect.get_driver_connection(connection).is_closed():
            raise DisconnectionError
        if time.monotonic() - record.info.get("idle_since", time.monotonic()) < _TRUSTED_FOR_S:
            return
        try:
            # The dialect's own ping begins a transaction and rolls it back: three round trips.
            connection.run_async(lambda driver: driver.fetchrow(";"))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            # Makes the pool drop every connection of that age and open a new one.
            raise DisconnectionError from error


def _read_json(text: str) -> Any:
    """Return the value of a JSON column.

    Most of a post are empty: to parse these, too, took a quarter of the time in which a step reads its rows.
    """
    if text == "{}":
        return {}
    return [] if text == "[]" else json.loads(text)


def _driver_connection(connection: PoolProxiedConnection) -> asyncpg.Connection:
    return cast("asyncpg.Connection", connection.driver_connection)


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """The limits of one process's use of the database, in seconds; None is without end.

    PostgreSQL enforces `statement`; if PostgreSQL does not respond, the driver does, a little later. `lock` is how long
    a statement waits for a lock, `connection` how long the code waits for a connection of the pool.
    """

    statement: float | None
    lock: float | None
    connection: float = 30

    def as_options(self) -> dict[str, Any]:
        """Return the driver's options."""
        bounds = {"statement_timeout": self.statement, "lock_timeout": self.lock}
        options: dict[str, Any] = {
            "server_settings": {name: f"{seconds * 1000:.0f}" for name, seconds in bounds.items() if seconds},
        }
        return options | ({"command_timeout": self.statement + _DRIVER_WAITS_S} if self.statement else {})


OF_REQUESTS = TimeLimits(statement=10, lock=5, connection=10)
"""A client waits: a request that takes longer gets 503, so that it does not hold a connection."""
OF_STEPS = TimeLimits(statement=30, lock=10)
"""A worker's steps, which Temporal retries, and its background tasks, which read all open posts."""
OF_ANSWERS = TimeLimits(statement=5, lock=5, connection=5)
"""Short statements that are retried until they succeed."""
OF_COMMANDS = TimeLimits(statement=None, lock=30)
"""A person waits and can cancel."""
OF_DIAGNOSES = TimeLimits(statement=None, lock=5)
"""A person wants to know what is wrong, and a locked table may be it: the answer must not wait for the lock's end."""


class Pool:
    """A pool of connections to the database. Belongs to the event loop that first uses it."""

    def __init__(
        self,
        dsn: Dsn,
        size: int,
        overflow: int,
        limits: TimeLimits,
        *,
        purpose: str,
        keepalives: bool = False,
        is_pooled: bool = False,
        announcer: Announcer | None = None,
    ) -> None:
        self.announcer = announcer or Announcer(self.rows)
        options = limits.as_options()
        if is_pooled:
            # A pooler refuses or loses them: the role has them (`store.roles`).
            options["server_settings"] = {}
        options["server_settings"]["application_name"] = application_name(purpose)
        if keepalives:
            options["server_settings"] |= _KEEPALIVES
        # The connection that was used last has the most prepared statements, and was idle too shortly to be pinged.
        self.engine = create_async_engine(
            dsn.url,
            pool_size=size,
            max_overflow=overflow,
            pool_timeout=limits.connection,
            pool_use_lifo=True,
            hide_parameters=True,
            json_deserializer=_read_json,
            async_creator=lambda: dsn.open(**options),
        )
        _ping_after_idling(self.engine)
        event.listen(self.engine.sync_engine, "checkin", self._close_returned)
        self._is_closed = False
        self._most = size + overflow
        self._shares = SessionShares(self._most, limits.connection)
        self._idle: list[PoolProxiedConnection] = []
        self._returning: asyncio.Task[None] | None = None
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._readers = async_sessionmaker(
            self.engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction: committed at the end of the block, rolled back on an exception.

        Its announcements (`store.announcer.announce`) are sent once it is committed.
        """
        if self._idle:
            await self._return_one()
        share = await self._shares.take()
        try:
            with holding_session():
                async with self._sessions.begin() as session:
                    yield session
                self.announcer.add(announcements(session))
        finally:
            self._shares.release(share)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a session in which every statement is its own transaction: no round trips to begin and to commit."""
        if self._idle:
            await self._return_one()
        share = await self._shares.take()
        try:
            with holding_session():
                async with self._readers() as session:
                    yield session
        finally:
            self._shares.release(share)

    async def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement as its own transaction and return its rows; `$1` is the first argument.

        For the few statements that every post needs: without SQLAlchemy they cost a quarter. Raises asyncpg's own
        errors.
        """
        share = await self._shares.take()
        try:
            while self._idle and _driver_connection(self._idle[-1]).is_closed():
                await self._return_one()
            connection = self._idle.pop() if self._idle else await self.engine.raw_connection()
            try:
                return list(await _driver_connection(connection).fetch(statement, *arguments))
            finally:
                await self._keep(connection)
        finally:
            self._shares.release(share)

    async def _keep(self, connection: PoolProxiedConnection) -> None:
        """Keep a connection for the next statement, unless somebody may wait for it."""
        self._idle.append(connection)
        if self._is_closed or cast("AsyncAdaptedQueuePool", self.engine.pool).checkedout() >= self._most:
            await self._return_one()
        elif self._returning is None:
            self._returning = asyncio.create_task(self._return_kept(), context=Context())

    async def _return_one(self) -> None:
        """Return a kept connection to the pool, if there is one."""
        if self._idle:
            # If the pool has no place for the connection, this closes it later.
            await greenlet_spawn(self._idle.pop().close)

    def _close_returned(self, connection: Any, record: Any) -> None:
        """Close a connection that is returned after `close`: its former pool would keep it open."""
        if self._is_closed and connection is not None:
            record.invalidate()

    async def _return_kept(self) -> None:
        await asyncio.sleep(_KEPT_FOR_S)
        self._returning = None
        while self._idle:
            await self._return_one()

    async def row(self, statement: str, *arguments: object) -> asyncpg.Record | None:
        """Run one statement as `rows` does, and return its first row."""
        return next(iter(await self.rows(statement, *arguments)), None)

    async def ping(self) -> None:
        """Raise if the database does not respond."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self.announcer.flush()
        self._is_closed = True
        if self._returning is not None:
            self._returning.cancel()
        while self._idle:
            await self._return_one()
        await self.engine.dispose()


async def row_within(session: AsyncSession, statement: str, *arguments: object) -> asyncpg.Record | None:
    """Run one statement as `Pool.row` does, in a transaction that a statement of its session has begun."""
    connection = await (await session.connection()).get_raw_connection()
    return await _driver_connection(connection).fetchrow(statement, *arguments)


class Database(Pool):
    """All connections of one process: most for everything, and a few for platforms' responses only.

    Platforms' responses are written through `answers`, so that they do not wait for a connection that other work holds.
    If a response were lost, the post would have to be confirmed, and an account whose new tokens are lost is
    disconnected.
    """

    def __init__(
        self,
        url: str,
        *,
        direct_url: str | None = None,
        is_pooled: bool = False,
        pool_size: int = 10,
        max_overflow: int = 10,
        reserved: int = 2,
        limits: TimeLimits = OF_STEPS,
        purpose: str = "command",
    ) -> None:
        self.dsn = parse_dsn(url)
        self.direct = self.dsn if direct_url in {None, url} else parse_dsn(str(direct_url))
        """The address that leads to no pooler."""
        self.is_pooled, self.purpose = is_pooled, purpose
        self._announcing = Pool(self.direct, 1, 0, OF_ANSWERS, purpose=f"{purpose}-announcer")
        announcer = self._announcing.announcer
        super().__init__(
            self.dsn, pool_size, max_overflow, limits, purpose=purpose, is_pooled=is_pooled, announcer=announcer
        )
        self.answers = Pool(
            self.dsn, reserved, 0, OF_ANSWERS, purpose=purpose, is_pooled=is_pooled, announcer=announcer
        )
        self.locks = Pool(self.direct, 1, 0, OF_ANSWERS, purpose=f"{purpose}-locks", keepalives=True)
        """One connection, opened when it is needed, for locks that last as long as this process and its machine."""

    async def close(self) -> None:
        """Close every connection."""
        await super().close()
        await self.answers.close()
        await self.locks.close()
        await self._announcing.close()
