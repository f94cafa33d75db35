"""Changes of large tables beside requests; migrations that use them run outside a transaction.

Each may be repeated: if it is interrupted, `socialsyncer migrate` begins it again.
"""

import time

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from store.failures import took_too_long

log = structlog.get_logger(__name__)

BATCH = 1000
"""Rows of one batch, which is one transaction: it ends within a fraction of a second."""
_PAUSE_S = 0.05
"""Seconds between two batches, in which requests have the disk."""
_BUILDING_S = 0.5
"""Seconds between two checks of an index that another process's server builds."""
_TRIES = 5


def create_index(connection: Connection, name: str, definition: str, *, unique: bool = False) -> None:
    """Create an index without locking its table; `definition` is what follows ON.

    It waits for transactions that read older rows, and locks no one out meanwhile, so it has no time limit.
    """
    connection.execute(text("SET lock_timeout = 0"))
    being_built = text("SELECT 1 FROM pg_stat_progress_create_index WHERE index_relid = to_regclass(:name)")
    while connection.scalar(being_built, {"name": f"public.{name}"}):
        # The server of a process that was killed still builds it. To drop it now could fail.
        time.sleep(_BUILDING_S)
    invalid = text("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid")
    if connection.scalar(invalid, {"name": f"public.{name}"}):
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {name}")
    kind = "UNIQUE INDEX" if unique else "INDEX"
    connection.exec_driver_sql(f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {name} ON {definition}")


def run_in_batches(connection: Connection, statement: str) -> None:
    """Run a statement that changes at most `:batch` rows, again and again until it changes none."""
    connection.execute(text("SET lock_timeout = '2s'"))
    while _run_batch(connection, statement):
        time.sleep(_PAUSE_S)


def _run_batch(connection: Connection, statement: str) -> int:
    for remaining in reversed(range(_TRIES)):
        try:
            return connection.execute(text(statement), {"batch": BATCH}).rowcount
        except DBAPIError as error:
            if not remaining or not took_too_long(error):
                raise
            log.warning("migrate.batch_waits_for_a_lock", tries_left=remaining)
            time.sleep(1)
    raise AssertionError("unreachable: the loop returns or raises")
