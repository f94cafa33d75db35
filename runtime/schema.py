"""The check of a running process whether the database's schema fits its code, and the first line of its log."""

import asyncio
import os
import signal

import structlog

from domain.printable import error_words
from reconcile.rounds import BackgroundTask
from runtime.database import open_database
from runtime.settings import Settings
from store.database import Database, TimeLimits
from store.failures import is_database_unavailable
from store.maintenance.beats import Beat
from store.pooler import PoolerError, check_connections
from store.roles import Component
from store.schema.revisions import SchemaError, check_schema, code_version

log = structlog.get_logger(__name__)

_FIRST_CHECK = TimeLimits(statement=3, lock=3, connection=3)
_FIRST_CHECK_S = 10.0
_REFUSALS = {SchemaError: "process.refuses_the_schema", PoolerError: "process.refuses_the_pooler"}
_EVERY_S, _AGAIN_S = 600.0, 5.0
"""The pause of checks that no change of the revision asks for: all tables may be gone."""


async def announce_process(part: Component, settings: Settings) -> None:
    """Log the versions of a process's code and of the database's schema.

    Raises SchemaError if they do not fit, PoolerError if a pooler in between makes work unsafe.

    The database may be unavailable: the process starts, and `SchemaCheck` checks it later.
    """
    database = open_database(settings, _FIRST_CHECK, part)
    for dsn in {database.dsn, database.direct}:
        if dsn.is_unverified:
            log.warning("database.not_verified", hosts=dsn.hosts, sslmode=dsn.mode)
    try:
        async with asyncio.timeout(_FIRST_CHECK_S):
            await check_connections(database)
            schema = await check_schema(database)
    except (SchemaError, PoolerError) as error:
        log.critical(_REFUSALS[type(error)], part=part, version=code_version(), reason=error_words(error))
        raise
    except Exception as error:
        if not (isinstance(error, TimeoutError) or is_database_unavailable(error)):
            raise
        log.warning("process.starts", part=part, version=code_version(), schema=None, reason=type(error).__name__)
    else:
        log.info("process.starts", part=part, version=code_version(), schema=schema)
    finally:
        await database.close()


class SchemaCheck:
    """The check that ends this process, as SIGTERM does, once the schema no longer fits its code.

    It checks the connections once more: the database may have been unavailable when the process started.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_checked_connections = False
        self._schema: str | None = None
        """The revision that was checked last."""
        self._ends = False
        """Whether this process was asked to end. A second signal would end its grace."""

    def task(self) -> BackgroundTask:
        """Return the task that checks when the process starts, and again from time to time."""
        return BackgroundTask(self.check, _EVERY_S, "schema.not_checked", again_s=lambda _: _AGAIN_S)

    async def hear(self, beat: Beat | None) -> None:
        """Check the schema if the database's answer has another revision than the last check."""
        if beat is not None and beat.schema != self._schema and not self._ends:
            await self.check()

    async def check(self) -> None:
        """Check it now."""
        try:
            if not self._has_checked_connections:
                await check_connections(self._database)
                self._has_checked_connections = True
            self._schema = await check_schema(self._database)
        except (SchemaError, PoolerError) as error:
            log.critical(_REFUSALS[type(error)], version=code_version(), reason=error_words(error))
            self._ends = True
            os.kill(os.getpid(), signal.SIGTERM)
