"""The check of a running process whether the database's schema fits its code, and the first line of its log."""

import asyncio
import os
import signal

import structlog

from reconcile.rounds import BackgroundTask
from runtime.settings import Settings
from store.database import Pool, TimeLimits
from store.dsn import parse_dsn
from store.failures import is_database_unavailable
from store.schema.fit import check_schema
from store.schema.revisions import SchemaError, code_version

log = structlog.get_logger(__name__)

_FIRST_CHECK = TimeLimits(statement=3, lock=3, connection=3)
_EVERY_S, _AGAIN_S = 60.0, 5.0


async def announce_process(part: str, settings: Settings) -> None:
    """Log the versions of a process's code and of the database's schema. Raises SchemaError if they do not fit.

    The database may be unavailable: the process starts, and `schema_task` checks it later.
    """
    dsn = parse_dsn(settings.database_url.get_secret_value())
    if dsn.is_unverified:
        log.warning("database.not_verified", hosts=dsn.hosts, sslmode=dsn.mode)
    database = Pool(dsn, 1, 0, _FIRST_CHECK, purpose=part)
    try:
        async with asyncio.timeout(3):
            schema = await check_schema(database)
    except SchemaError as error:
        log.critical("process.refuses_the_schema", part=part, version=code_version(), reason=str(error))
        raise
    except Exception as error:
        if not (isinstance(error, TimeoutError) or is_database_unavailable(error)):
            raise
        log.warning("process.starts", part=part, version=code_version(), schema=None, reason=type(error).__name__)
    else:
        log.info("process.starts", part=part, version=code_version(), schema=schema)
    finally:
        await database.close()


def schema_task(database: Pool, every_s: float = _EVERY_S) -> BackgroundTask:
    """Return the task that checks the schema again, and ends this process, as SIGTERM does, once it no longer fits."""

    async def check() -> None:
        try:
            await check_schema(database)
        except SchemaError as error:
            log.critical("process.refuses_the_schema", version=code_version(), reason=str(error))
            os.kill(os.getpid(), signal.SIGTERM)

    return BackgroundTask(check, every_s, "schema.not_checked", again_s=lambda _: _AGAIN_S)
