"""A row in every table that holds rows of workspaces, made from the models: a new table gets one by itself."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, DateTime, Integer, LargeBinary, Table, insert, inspect, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import new_id
from store.database import Database
from store.maintenance.owned_tables import children, owned_tables
from store.models import ApiKey, Base, Delivery, Post, RequestLimit, Upload, Webhook

SECRET = "seekret-that-no-export-has"
_REAL = frozenset({"posts", "accounts", "uploads", "listeners"})
"""Tables whose rows a test writes as the product does. A listener would make events of the deletion."""
_VALUES: dict[str, dict[str, Any]] = {
    "pending_connections": {"expires_at": datetime(2026, 1, 1, tzinfo=UTC)},
    "pauses": {"kind": "workspace", "gate_id": ""},
    "gates": {"kind": "account", "id": "twitter/none"},
}


async def fill(database: Database, workspace_id: str, post: Post, upload: Upload) -> None:
    """Add a row to each table of a workspace, except those that a test writes as the product does."""
    async with database.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        rows: dict[str, dict[str, Any]] = {"posts": {"id": post.id}, "uploads": {"id": upload.id}}
        for child in children(Base.metadata.tables["posts"]):
            if child.name != "targets":
                await _add_row(session, child, workspace_id, rows)
        ordered = sorted(owned_tables(), key=lambda owned: owned.table.name in _named_by_others())
        for owned in ordered:
            if owned.table.name not in _REAL:
                await _add_row(session, owned.table, workspace_id, rows)


def _named_by_others() -> set[str]:
    return {Delivery.__tablename__, RequestLimit.__tablename__}


async def _add_row(session: AsyncSession, table: Table, workspace_id: str, rows: dict[str, dict[str, Any]]) -> None:
    row = {column.name: _value(column) for column in table.columns if _is_needed(column)}
    row |= _VALUES.get(table.name, {})
    if "workspace_id" in table.columns:
        row["workspace_id"] = workspace_id
    for key in table.foreign_keys:
        if key.column.table.name in rows:
            row[key.parent.name] = rows[key.column.table.name][key.column.name]
    if table.name == Delivery.__tablename__:
        row["webhook_id"] = rows[Webhook.__tablename__]["id"]
    if table.name == RequestLimit.__tablename__:
        row["holder"] = rows[ApiKey.__tablename__]["id"]
    stored = (await session.execute(insert(table).values(row).returning(*table.columns))).mappings().one()
    rows[table.name] = dict(stored)
    for child in children(table):
        await _add_row(session, child, workspace_id, rows)


def _is_needed(column: Any) -> bool:
    return not column.nullable and column.server_default is None and column.identity is None


def _value(column: Any) -> Any:
    kind = column.type
    if isinstance(kind, JSONB):
        return {}
    if isinstance(kind, ARRAY):
        return []
    if isinstance(kind, DateTime):
        return datetime.now(UTC)
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, Integer):
        return 1
    return SECRET.encode() if isinstance(kind, LargeBinary) else new_id(column.name)


async def tables_with(database: Database, texts: list[str]) -> set[str]:
    """Return the tables of the database, read from its catalogue, in which a row has one of these texts anywhere."""
    async with database.reading() as session:
        names = await session.run_sync(lambda sync: inspect(sync.connection()).get_table_names())
        return {name for name in names if await _has(session, name, texts)}


async def _has(session: AsyncSession, name: str, texts: list[str]) -> bool:
    rows = f'SELECT EXISTS (SELECT FROM "{name}" AS entry WHERE entry::text LIKE ANY (:patterns))'
    return bool(await session.scalar(text(rows), {"patterns": [f"%{part}%" for part in texts]}))
