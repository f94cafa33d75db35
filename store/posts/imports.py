"""Imports as rows, and the posts that their external ids name."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Text, cast, insert, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from domain.ids import first_id
from store.deletes import delete_rows
from store.models import Import, Post

KEPT = timedelta(days=30)
"""How long an import and its results can be read."""
MOST_IMPORTS = 1_000
"""Imports of a workspace that are kept, the newest."""
_KNOWN = text(
    "SELECT external_id, id, external_digest FROM posts"
    " WHERE workspace_id = :workspace_id AND external_id = ANY(:external_ids)"
)
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
    return {row.external_id: KnownPost(row.id, row.external_digest) for row in rows}


async def find_posts(
    session: AsyncSession, workspace_id: str, post_ids: Sequence[str], *, lock: bool
) -> dict[str, Post]:
    """Return posts of a workspace with their targets, by id; `lock` holds them until the transaction ends."""
    query = select(Post).where(Post.workspace_id == workspace_id, Post.id.in_(post_ids)).order_by(Post.id)
    query = query.options(selectinload(Post.targets))
    posts = await session.scalars(query.with_for_update(of=Post) if lock else query)
    return {post.id: post for post in posts}


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


async def delete_old_imports(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` imports that are too old; return how many were deleted."""
    old = select(Import.id).where(Import.id < first_id("imp", now - KEPT)).order_by(Import.id).limit(limit)
    return await delete_rows(session, Import.id, Import.id.in_(old))


async def delete_surplus_imports(session: AsyncSession, _now: datetime, limit: int) -> int:
    """Delete up to `limit` imports of workspaces that have too many, the oldest; return how many were deleted."""
    return len((await session.execute(_SURPLUS, {"most": MOST_IMPORTS, "limit": limit})).all())
