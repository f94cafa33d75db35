"""The workspace that is being deleted, and what the steps of its deletion use."""

from dataclasses import dataclass

from temporalio.client import Client

from storage.base import Storage
from store.database import Database

AGAIN = "run the command again, and it continues"
BATCH = 500
"""Rows of a transaction: no other one waits long for their locks."""
POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class ErasedWorkspace:
    """The workspace that is being deleted. `revokes`: its accounts' authorizations are ended at their platforms."""

    database: Database
    client: Client
    storage: Storage | None
    workspace_id: str
    revokes: bool = True
