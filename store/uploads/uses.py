"""The posts and series that name uploads, as triggers of their tables keep them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import UploadState
from store.models import Upload, UploadUse
from store.uploads.rows import has_token

MOST_POSTS = 100
"""Posts of an upload that an answer lists."""

_NAMING = text("""
SELECT upload.id, ARRAY(
  SELECT DISTINCT post_id FROM upload_uses WHERE upload_id = upload.id ORDER BY post_id DESC LIMIT :most
)
FROM unnest(CAST(:upload_ids AS varchar[])) AS upload (id)
""")
_USES = text("""
SELECT upload.id,
  EXISTS (SELECT FROM series WHERE workspace_id = upload.workspace_id AND upload.id = ANY (upload_ids))
    OR coalesce(bool_or(posts.status IN ('draft', 'scheduled', 'publishing')), false),
  max(posts.updated_at)
FROM uploads AS upload
LEFT JOIN upload_uses AS uses ON uses.upload_id = upload.id
LEFT JOIN posts ON posts.id = uses.post_id
WHERE upload.id = ANY (CAST(:upload_ids AS varchar[]))
GROUP BY upload.id
""")


@dataclass(frozen=True, slots=True)
class UploadUses:
    """The uses of an upload. It is held by series, drafts, and posts that are not settled."""

    is_held: bool
    rested_at: datetime | None
    """When the last post that names it changed; None if none does."""


async def posts_naming(session: AsyncSession, upload_ids: Collection[str]) -> dict[str, list[str]]:
    """Return the newest posts that name each of these uploads."""
    rows = await session.execute(_NAMING, {"upload_ids": list(upload_ids), "most": MOST_POSTS})
    return {upload_id: list(post_ids) for upload_id, post_ids in rows}


async def find_pending(
    session: AsyncSession, workspace_id: str, tokens: Collection[str], post_id: str | None, most: int
) -> Sequence[Upload]:
    """Return up to `most` uploads that have not come: those with these tokens, and those that a post names."""
    named = or_(has_token(tokens), Upload.id.in_(select(UploadUse.upload_id).where(UploadUse.post_id == post_id)))
    query = select(Upload).where(Upload.workspace_id == workspace_id, named, Upload.state == UploadState.PENDING.value)
    return list(await session.scalars(query.limit(most)))


async def read_uses(session: AsyncSession, upload_ids: Collection[str]) -> dict[str, UploadUses]:
    """Return how each of these uploads is used.

    To decide on an upload, lock its row by a statement before this one: the triggers lock it, too.
    """
    rows = await session.execute(_USES, {"upload_ids": list(upload_ids)})
    return {upload_id: UploadUses(is_held, rested_at) for upload_id, is_held, rested_at in rows}
