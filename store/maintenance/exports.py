"""The rows of a workspace as JSON, without secrets: page by page, each row with those that belong to it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, LargeBinary, String, Table, text
from sqlalchemy.ext.asyncio import AsyncSession

from store.maintenance.owned_tables import ROOT, OwnedTable, children, owned_tables
from store.models import Base

LEFT_OUT_TABLES: Mapping[str, str] = {
    "media_files": "copies of media that platforms fetch; they expire",
    "pending_connections": "accounts that are being connected, with secrets; they expire",
    "pending_revocations": "access that is being ended, with secrets",
    "request_limits": "counters; they expire",
}
"""Tables of a workspace that are not exported, and why."""
LEFT_OUT_COLUMNS = frozenset(
    {
        # An address that a platform has given for an upload lets its holder write.
        "targets.handles",
        "posts.external_digest",
        # Who knows it, reads the file.
        "thumbnails.token",
        "uploads.token",
        "uploads.key",
        "uploads.etag",
        "uploads.multipart_id",
        # It may hold a key of its owner's.
        "uploads.source_url",
        # The name of a key of this service.
        "webhooks.secret_key",
        "webhooks.older_secret_key",
        "workspaces.page_logo",
    }
)
"""Columns that are not exported, beside all binary ones: those are sealed secrets, digests and pictures."""
_KEYS: Mapping[str, Sequence[str]] = {
    # The order of their index.
    "events": ("xid", "seq"),
    # The primary key is the key's digest.
    "api_keys": ("id",),
    "calendar_views": ("id",),
}


def exported_tables() -> Sequence[OwnedTable]:
    """Return the tables of which each has a file: the workspace itself, and those whose rows belong to it alone."""
    workspace = OwnedTable(Base.metadata.tables[ROOT], "id = :workspace_id")
    return [workspace, *(owned for owned in owned_tables() if owned.table.name not in LEFT_OUT_TABLES)]


def keys(table: Table) -> Sequence[str]:
    """Return the columns by which a table's rows are read page by page."""
    return _KEYS.get(table.name) or [column.name for column in table.primary_key]


def exported_columns(table: Table) -> Sequence[str]:
    """Return the columns of a table that are exported."""
    return [column.name for column in table.columns if _is_exported(table, column)]


def _is_exported(table: Table, column: Column[Any]) -> bool:
    return not isinstance(column.type, LargeBinary) and f"{table.name}.{column.name}" not in LEFT_OUT_COLUMNS


async def read_page(
    session: AsyncSession, workspace_id: str, owned: OwnedTable, after: Sequence[str] | None, most: int
) -> list[str]:
    """Return up to `most` rows as JSON texts, in the order of their keys, from after the row with these keys on."""
    table, names = owned.table, keys(owned.table)
    condition = owned.condition
    parameters: dict[str, Any] = {"workspace_id": workspace_id, "most": most}
    if after is not None:
        values = [f"CAST(CAST(:after_{name} AS text) AS {_type_name(table.columns[name])})" for name in names]
        condition += f" AND ({', '.join(names)}) > ({', '.join(values)})"
        parameters |= {f"after_{name}": value for name, value in zip(names, after, strict=True)}
    statement = f"{_select(table)} WHERE {condition} ORDER BY {', '.join(names)} LIMIT :most"
    rows = await session.scalars(text(f"SELECT row_to_json(exported)::text FROM ({statement}) AS exported"), parameters)  # noqa: S608 names of the models
    return list(rows)


def _type_name(column: Column[Any]) -> str:
    # Texts are compared as the column's collation says, by which they are sorted.
    return "text" if isinstance(column.type, String) else column.type.compile()


def _select(table: Table) -> str:
    """Return the statement that reads a table's exported columns, and its children as arrays."""
    parts = [f"{table.name}.{name}" for name in exported_columns(table)]
    for child in children(table):
        (reference,) = (key for key in child.foreign_keys if key.column.table is table)
        own = f"{child.name}.{reference.parent.name} = {table.name}.{reference.column.name}"
        order = ", ".join(f"{child.name}.{name}" for name in keys(child))
        rows = f"{_select(child)} WHERE {own} ORDER BY {order}"
        parts.append(f"(SELECT coalesce(json_agg(child), '[]') FROM ({rows}) AS child) AS {child.name}")  # noqa: S608 names of the models
    return f"SELECT {', '.join(parts)} FROM {table.name}"  # noqa: S608 names of the models
