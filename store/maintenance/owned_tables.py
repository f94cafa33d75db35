"""The tables that hold rows of workspaces, read from the models: a new table cannot be forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import UploadState
from store.models import Base, ConnectedAccount, Post, Upload, Webhook


async def count_posts(session: AsyncSession, workspace_id: str) -> int:
    """Return how many posts a workspace has."""
    return await session.scalar(select(func.count()).where(Post.workspace_id == workspace_id)) or 0


async def list_accounts(session: AsyncSession, workspace_id: str) -> Sequence[tuple[str, str]]:
    """Return the connected accounts as platform and id."""
    columns = select(ConnectedAccount.platform, ConnectedAccount.id)
    rows = await session.execute(columns.where(ConnectedAccount.workspace_id == workspace_id))
    return [(row.platform, row.id) for row in rows]


async def list_webhooks(session: AsyncSession, workspace_id: str) -> Sequence[str]:
    """Return the ids of the endpoints."""
    return (await session.scalars(select(Webhook.id).where(Webhook.workspace_id == workspace_id))).all()


async def list_uploads(session: AsyncSession, workspace_id: str, most: int) -> Sequence[Upload]:
    """Return up to `most` uploads, in any state."""
    return (await session.scalars(select(Upload).where(Upload.workspace_id == workspace_id).limit(most))).all()


async def list_ready_uploads(session: AsyncSession, workspace_id: str, after: str, most: int) -> Sequence[Upload]:
    """Return up to `most` complete uploads with ids after one, in order."""
    query = select(Upload).where(Upload.workspace_id == workspace_id, Upload.state == UploadState.READY.value)
    return (await session.scalars(query.where(Upload.id > after).order_by(Upload.id).limit(most))).all()


ROOT = "workspaces"
_OF_OTHER_ROWS = {
    "deliveries": "webhook_id IN (SELECT id FROM webhooks WHERE workspace_id = :workspace_id)",
    "request_limits": (
        "holder IN (SELECT id FROM api_keys WHERE workspace_id = :workspace_id UNION ALL"
        " SELECT id FROM calendar_views WHERE workspace_id = :workspace_id UNION ALL SELECT :workspace_id)"
    ),
}
"""Tables whose rows name rows of a workspace without a foreign key, because that would lock too much."""
SHARED: Mapping[str, str] = {
    "app_refusals": "the operator's apps",
    "app_setups": "the operator's apps",
    "bulk_turn": "the service's own progress",
    "deletions": "the proof of the deletion, with ids alone",
    "delivery_progress": "the service's own progress",
    "handover_keys": "the service's own keys",
    "installation": "the service's own identity",
    "leases": "the service's own tasks",
    "rate_limit_buckets": "of an account at its platform, whichever workspaces have connected it",
    "rate_limit_slots": "of an account at its platform, whichever workspaces have connected it",
    "restores": "the service's own progress",
    "schema_states": "the service's own progress",
    "service_state": "the service's own state",
    "storage_markers": "the service's own store",
    "trusted_server": "the service's own database",
    "zone_checks": "the service's own progress",
}
"""Tables without rows of a workspace, and what their rows are instead."""


@dataclass(frozen=True, slots=True)
class OwnedTable:
    """A table with rows of workspaces that go with no other row."""

    table: Table
    condition: str
    """Which of its rows are of the workspace `:workspace_id`, in SQL."""


def owned_tables() -> Sequence[OwnedTable]:
    """Return the tables whose rows belong to a workspace itself, those first that are found by rows of others."""
    owned = [OwnedTable(Base.metadata.tables[name], condition) for name, condition in _OF_OTHER_ROWS.items()]
    for name, table in sorted(Base.metadata.tables.items()):
        if name not in {ROOT, *SHARED, *_OF_OTHER_ROWS} and "workspace_id" in table.columns and parent(table) is None:
            owned.append(OwnedTable(table, "workspace_id = :workspace_id"))
    return owned


def parent(table: Table) -> Table | None:
    """Return the table with whose rows those of a table are deleted, other than the workspaces'; None if none."""
    names = sorted(key.column.table.name for key in table.foreign_keys if key.column.table.name != ROOT)
    return Base.metadata.tables[names[0]] if names else None


def children(table: Table) -> Sequence[Table]:
    """Return the tables whose rows are deleted with those of a table."""
    return [child for _, child in sorted(Base.metadata.tables.items()) if parent(child) is table]
