"""Imports as rows, and the posts that their external ids name."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Text, cast, insert, literal, select, text, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import first_id
from store import models
from store.models import Import, ImportedRow
from store.posts.creating import POSTS_OF_A_STATEMENT, insert_rows
from store.rows import delete_first, delete_rows

KEPT = timedelta(days=30)
"""How long an import and its results can be read."""
DELETED_KNOWN = timedelta(days=365)
"""How long an import can tell that the post of a row was deleted."""
MOST_UNDONE = 20
"""Imports of a workspace, the newest, whose changes of posts can be undone: the old values may have 32 MiB each."""
MOST_IMPORTS = 1_000
"""Imports of a workspace that are kept, the newest."""
_KNOWN = text(
    "SELECT external_id, id, external_digest, version FROM posts"
    " WHERE workspace_id = :workspace_id AND external_id = ANY(:external_ids)"
)
_BEFORE = text(
    "SELECT external_id, post_id, row_cells, post_cells, deleted_at FROM imported_rows"
    " WHERE workspace_id = :workspace_id AND external_id = ANY(:external_ids)"
)
_FORGET_POSTS = text("DELETE FROM imported_posts WHERE import_id = :import_id AND post_id = ANY(:post_ids)")
_FORGET_ROWS = text("DELETE FROM imported_rows WHERE workspace_id = :workspace_id AND external_id = ANY(:external_ids)")
_REPLACE = (
    "ON CONFLICT (workspace_id, external_id) DO UPDATE SET post_id = excluded.post_id,"
    " row_cells = excluded.row_cells, post_cells = excluded.post_cells, deleted_at = NULL"
)
_FORGET_VALUES = text("""
DELETE FROM imported_posts WHERE before IS NOT NULL AND import_id = (
  SELECT id FROM imports WHERE workspace_id = :workspace_id ORDER BY id DESC OFFSET :most LIMIT 1
)
""")
_RESULTS = text("""
SELECT created_at, counts, warnings,
       jsonb_path_query_array(results, '$[$first to $last]', CAST(:places AS jsonb)) AS results
FROM imports
WHERE id = :id AND workspace_id = :workspace_id
""")
_DELIVER_IN_TURN = text(
    "UPDATE posts SET next_delivery_at = bulk_delivery_at_v1(due_at) WHERE id = ANY(:ids) AND due_at IS NOT NULL"
)
_SURPLUS = text("""
DELETE FROM imports WHERE id IN (
  SELECT id
  FROM (SELECT id, row_number() OVER (PARTITION BY workspace_id ORDER BY id DESC) AS place FROM imports) AS placed
  WHERE place > :most LIMIT :limit
)
RETURNING id
""")


@dataclass(frozen=True, slots=True)
class KnownPost:
    """A post that a row's external id names."""

    id: str
    digest: str | None
    """The digest of the body that made it."""
    version: int


@dataclass(frozen=True, slots=True)
class RowBefore:
    """The row that was last imported under an externalId, by the digests of its cells (store.models.ImportedRow)."""

    post_id: str
    row_cells: Mapping[str, str]
    post_cells: Mapping[str, str]
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ImportedPost:
    """A post that an import has created or changed, as `store.models.ImportedPost` keeps it."""

    post_id: str
    written: Mapping[str, str | None]
    before: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ImportPage:
    """An import, and some of its results."""

    created_at: datetime
    counts: dict[str, int]
    warnings: list[dict[str, Any]]
    results: list[dict[str, Any]]


async def find_known(session: AsyncSession, workspace_id: str, external_ids: Iterable[str]) -> dict[str, KnownPost]:
    """Return the posts of a workspace that have these external ids, by them."""
    rows = await session.execute(_KNOWN, {"workspace_id": workspace_id, "external_ids": list(external_ids)})
    return {row.external_id: KnownPost(row.id, row.external_digest, row.version) for row in rows}


async def find_rows_before(
    session: AsyncSession, workspace_id: str, external_ids: Iterable[str]
) -> dict[str, RowBefore]:
    """Return the rows that were last imported under these external ids, by them."""
    rows = await session.execute(_BEFORE, {"workspace_id": workspace_id, "external_ids": list(external_ids)})
    return {name: RowBefore(*before) for name, *before in rows}


async def save_rows(session: AsyncSession, workspace_id: str, rows: Mapping[str, RowBefore]) -> None:
    """Save the rows that an import has read, by their external ids, in place of the rows before."""
    values = [
        {
            "workspace_id": workspace_id,
            "external_id": name,
            "post_id": row.post_id,
            "row_cells": row.row_cells,
            "post_cells": row.post_cells,
        }
        for name, row in sorted(rows.items())
    ]
    for begin in range(0, len(values), POSTS_OF_A_STATEMENT):
        await insert_rows(session, "imported_rows", values[begin : begin + POSTS_OF_A_STATEMENT], _REPLACE)


async def save_posts(session: AsyncSession, workspace_id: str, import_id: str, posts: Sequence[ImportedPost]) -> None:
    """Save which posts an import has created and changed.

    The values that the 21st import before the newest ones has replaced are not kept any more.
    """
    await session.execute(_FORGET_VALUES, {"workspace_id": workspace_id, "most": MOST_UNDONE})
    values = [{"import_id": import_id, **asdict(post)} for post in posts]
    for begin in range(0, len(values), POSTS_OF_A_STATEMENT):
        await insert_rows(session, "imported_posts", values[begin : begin + POSTS_OF_A_STATEMENT])


async def deliver_in_turn(session: AsyncSession, post_ids: Sequence[str]) -> None:
    """Have changed posts delivered to their workflows at the pace of bulk operations, unless they are due soon.

    The workflows of posts that became drafts are notified immediately.
    """
    await session.execute(_DELIVER_IN_TURN, {"ids": list(post_ids)})


async def add_import(session: AsyncSession, values: dict[str, Any], results: str) -> None:
    """Insert an import with its results, which are JSON."""
    await session.execute(insert(Import).values(**values, results=cast(literal(results, Text), JSONB)))


async def read_import(
    session: AsyncSession, workspace_id: str, import_id: str, begin: int, limit: int
) -> ImportPage | None:
    """Return an import of a workspace, with up to `limit` results from place `begin` on."""
    places = json.dumps({"first": begin, "last": begin + limit - 1})
    values = {"id": import_id, "workspace_id": workspace_id, "places": places}
    row = (await session.execute(_RESULTS, values)).one_or_none()
    return None if row is None else ImportPage(row.created_at, row.counts, row.warnings, row.results)


async def list_imports(
    session: AsyncSession, workspace_id: str, limit: int, before_id: str | None
) -> Sequence[Row[str, datetime, dict[str, int]]]:
    """Return the ids, times and counts of the newest imports of a workspace, before an id."""
    query = select(Import.id, Import.created_at, Import.counts).where(Import.workspace_id == workspace_id)
    query = query.where(Import.id < before_id) if before_id else query
    return (await session.execute(query.order_by(Import.id.desc()).limit(limit))).all()


async def posts_of_import(session: AsyncSession, import_id: str) -> Sequence[str]:
    """Return the ids of the posts that an import has created or changed, in order."""
    query = select(models.ImportedPost.post_id).where(models.ImportedPost.import_id == import_id)
    return (await session.scalars(query.order_by(models.ImportedPost.post_id))).all()


async def read_imported(session: AsyncSession, import_id: str, post_ids: Sequence[str]) -> dict[str, ImportedPost]:
    """Return what an import has done to some posts, by their ids."""
    table = models.ImportedPost
    query = select(table.post_id, table.written, table.before)
    rows = await session.execute(query.where(table.import_id == import_id, table.post_id.in_(post_ids)))
    return {row.post_id: ImportedPost(*row) for row in rows}


async def forget_posts(session: AsyncSession, import_id: str, post_ids: Sequence[str]) -> None:
    """Forget what an import has done to posts, because it is undone."""
    await session.execute(_FORGET_POSTS, {"import_id": import_id, "post_ids": list(post_ids)})


async def forget_rows(session: AsyncSession, workspace_id: str, external_ids: Sequence[str]) -> None:
    """Forget the rows before of these external ids, as if they were never imported."""
    await session.execute(_FORGET_ROWS, {"workspace_id": workspace_id, "external_ids": list(external_ids)})


async def delete_old_imports(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` imports that are too old; return how many were deleted."""
    return await delete_first(session, Import.id, Import.id, limit, Import.id < first_id("imp", now - KEPT))


async def delete_old_rows(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` records of rows whose posts were deleted long ago; return how many were deleted."""
    old = select(ImportedRow.workspace_id, ImportedRow.external_id).where(ImportedRow.deleted_at < now - DELETED_KNOWN)
    key = tuple_(ImportedRow.workspace_id, ImportedRow.external_id)
    return await delete_rows(
        session, ImportedRow.external_id, key.in_(old.order_by(ImportedRow.deleted_at).limit(limit))
    )


async def delete_surplus_imports(session: AsyncSession, _now: datetime, limit: int) -> int:
    """Delete up to `limit` imports of workspaces that have too many, the oldest; return how many were deleted."""
    return len((await session.execute(_SURPLUS, {"most": MOST_IMPORTS, "limit": limit})).all())
