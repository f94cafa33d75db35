"""The check of a process whether its database and its namespace of Temporal belong together."""

import os
import signal

import structlog
from temporalio.client import Client

from domain.printable import error_words
from reconcile.rounds import BackgroundTask, is_part_unavailable
from store.database import Database
from store.maintenance.servers import is_copy, read_installation
from workflows.client.namespace import ForeignNamespaceError, claim_namespace

log = structlog.get_logger(__name__)

_EVERY_S = 86_400.0
"""The namespace of a running process changes hands only if a person takes it over."""
_AGAIN_S = 5.0


class CopiedDatabaseError(Exception):
    """An error: the database is a copy, and no person has said that it is to be used. The message says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "This database was copied from another server or another database. If it takes the place of the original, "
            "run `socialsyncer restored --from TIME --database` with the time of the copy, or `socialsyncer restored "
            "--nothing-lost` if nothing was written to the original since (docs/backup.md). If the original is used, "
            "too, posts would be public twice: give the copy a namespace of Temporal and accounts of its own first."
        )


_REFUSALS = {
    ForeignNamespaceError: "process.refuses_the_namespace",
    CopiedDatabaseError: "process.refuses_the_database",
}


async def refuse_foreign_namespace(database: Database, client: Client) -> None:
    """Reserve the namespace for this database before anything is done in it.

    If the database or Temporal is unavailable, the process starts, and `namespace_task` checks it later. Raises
    ForeignNamespaceError, CopiedDatabaseError.
    """
    try:
        await _claim(database, client)
    except Exception as error:
        if not is_part_unavailable(error):
            raise
        log.warning("namespace.not_checked", reason=type(error).__name__)


def namespace_task(database: Database, client: Client) -> BackgroundTask:
    """Return the task that does the same once both answer, and ends this process, as SIGTERM does, if it is refused."""

    async def check() -> None:
        try:
            await _claim(database, client)
        except (ForeignNamespaceError, CopiedDatabaseError):
            os.kill(os.getpid(), signal.SIGTERM)

    return BackgroundTask(check, _EVERY_S, "namespace.not_checked", again_s=lambda _: _AGAIN_S)


async def _claim(database: Database, client: Client) -> None:
    try:
        await _refuse_copy(database)
        await claim_namespace(client, await read_installation(database))
    except (ForeignNamespaceError, CopiedDatabaseError) as error:
        log.critical(_REFUSALS[type(error)], reason=error_words(error))
        raise


async def _refuse_copy(database: Database) -> None:
    if await is_copy(database):
        raise CopiedDatabaseError
