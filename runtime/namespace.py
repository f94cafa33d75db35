"""The check of a process whether its namespace of Temporal belongs to its database."""

import os
import signal

import structlog
from temporalio.client import Client

from reconcile.rounds import BackgroundTask, is_part_unavailable
from store.database import Database
from store.maintenance.installation import read_installation
from workflows.client.namespace import ForeignNamespaceError, claim_namespace

log = structlog.get_logger(__name__)

_EVERY_S = 86_400.0
"""The namespace of a running process changes hands only if a person takes it over."""
_AGAIN_S = 5.0


async def refuse_foreign_namespace(database: Database, client: Client) -> None:
    """Reserve the namespace for this database before anything is done in it. Raises ForeignNamespaceError.

    If the database or Temporal is unavailable, the process starts, and `namespace_task` checks it later.
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
        except ForeignNamespaceError:
            os.kill(os.getpid(), signal.SIGTERM)

    return BackgroundTask(check, _EVERY_S, "namespace.not_checked", again_s=lambda _: _AGAIN_S)


async def _claim(database: Database, client: Client) -> None:
    try:
        await claim_namespace(client, await read_installation(database))
    except ForeignNamespaceError as error:
        log.critical("process.refuses_the_namespace", reason=str(error))
        raise
