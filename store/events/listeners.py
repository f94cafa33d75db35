"""The workspaces whose events are written, from the moment on from which all of them are.

A trigger asks whether the workspace listens when a row changes. A transaction that began before the workspace listened
may have asked too early, and commit later. So a workspace listens in three steps: its row is committed, then a
transaction has an id, and once all transactions with lower ids have ended, every event is written.
"""

from dataclasses import dataclass
from datetime import datetime

from store.database import Pool

_READ = """
SELECT since, read_at < clock_timestamp() - interval '1 hour' AS is_old, clock_timestamp() AS now
FROM listeners WHERE workspace_id = $1 AND since IS NOT NULL
"""
_RECORD_READ = "UPDATE listeners SET read_at = clock_timestamp() WHERE workspace_id = $1"
_BEGIN = "INSERT INTO listeners (workspace_id) VALUES ($1) ON CONFLICT DO NOTHING"
# Own statements, so own transactions: the id is higher than those of all transactions that may not have seen the row.
_MARK = "UPDATE listeners SET since_xid = pg_current_xact_id() WHERE workspace_id = $1 AND since_xid IS NULL"
_COMPLETE = """
UPDATE listeners SET since = clock_timestamp(), read_at = clock_timestamp()
WHERE workspace_id = $1 AND since IS NULL AND since_xid < pg_snapshot_xmin(pg_current_snapshot())
"""


@dataclass(frozen=True, slots=True)
class Listening:
    """A workspace that listens: since when every event of it is written, and the database's time."""

    since: datetime
    now: datetime


async def read_listener(database: Pool, workspace_id: str) -> Listening | None:
    """Return since when a workspace listens, and record that its events are read; None if it does not listen yet."""
    row = await database.row(_READ, workspace_id)
    if row is None:
        return None
    if row["is_old"]:
        await database.row(_RECORD_READ, workspace_id)
    return Listening(row["since"], row["now"])


async def begin_listening(database: Pool, workspace_id: str) -> None:
    """Let the events of a workspace be written; they are all written once `complete_listening` has had an effect."""
    for statement in (_BEGIN, _MARK):
        await database.row(statement, workspace_id)


async def complete_listening(database: Pool, workspace_id: str) -> None:
    """Record that every event of a workspace is written, if no older transaction is running any more."""
    await database.row(_COMPLETE, workspace_id)
