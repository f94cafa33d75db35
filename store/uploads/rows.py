"""Uploads as rows: begun within their quota, looked up, listed, named by posts and marked as deleted."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, any_, func, literal, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import new_id
from domain.uploads import LARGEST_UPLOAD, MOST_UPLOADS, UploadState
from store.database import Pool
from store.models import Upload, UploadUse
from store.models.base import Id
from store.rows import find_row, lock, newest_rows, update_rows

_PUBLIC = """
SELECT id, workspace_id, key, filename, coalesce(sniffed_type, content_type), coalesce(size, 0), sha256,
  coalesce(etag, ''), state = 'ready'
FROM uploads WHERE token = $1 AND state <> 'deleted'
"""
_IS_KEPT: ColumnElement[bool] = Upload.state != UploadState.DELETED.value


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """An upload to begin. `reserved`: the bytes that it takes of its workspace's quota."""

    workspace_id: str
    key: str
    filename: str
    content_type: str
    size: int | None
    sha256: bytes | None
    reserved: int
    expires_at: datetime
    created_by: str | None
    part_size: int | None = None
    multipart_id: str | None = None
    source_url: str | None = field(default=None, repr=False)
    """The address from which a worker fetches it; None if its client sends it."""


async def begin_upload(session: AsyncSession, new: NewUpload) -> Upload:
    """Add the row of an upload whose bytes are still to come. `quota.lock_quota` comes before it."""
    row = Upload(
        id=new_id("med"),
        workspace_id=new.workspace_id,
        token=secrets.token_urlsafe(24),
        key=new.key,
        filename=new.filename,
        content_type=new.content_type,
        size=new.size,
        sha256=new.sha256,
        reserved=new.reserved,
        address_nonce=secrets.token_bytes(32),
        expires_at=new.expires_at,
        created_by=new.created_by,
        part_size=new.part_size,
        multipart_id=new.multipart_id,
        source_url=new.source_url,
        fetch_at=datetime.now(UTC) if new.source_url else None,
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return row


async def find_by_id(session: AsyncSession, upload_id: str) -> Upload | None:
    """Return the upload of any workspace that is not deleted. The caller has shown that it may know of it."""
    query = select(Upload).where(Upload.id == upload_id, _IS_KEPT)
    return await session.scalar(query, execution_options={"populate_existing": True})


async def find_upload(session: AsyncSession, workspace_id: str, upload_id: str) -> Upload | None:
    """Return an upload of a workspace that is not deleted."""
    return await find_row(session, Upload, workspace_id, upload_id, _IS_KEPT)


def has_token(tokens: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that an upload has one of these tokens, of which there may be any number."""
    return Upload.token == any_(literal(list(tokens), ARRAY(Id)))


async def find_uploads_by_token(session: AsyncSession, workspace_id: str, tokens: Collection[str]) -> Sequence[Upload]:
    """Return the uploads of a workspace with these tokens that are not deleted."""
    query = select(Upload).where(has_token(tokens), Upload.workspace_id == workspace_id, _IS_KEPT)
    return list(await session.scalars(query))


async def list_uploads(
    session: AsyncSession,
    workspace_id: str,
    *,
    before: str | None,
    most: int,
    states: Collection[UploadState] = (),
    type_prefix: str | None = None,
) -> Sequence[Upload]:
    """Return uploads of a workspace, the newest first, from before an id on."""
    conditions = [_IS_KEPT]
    if states:
        conditions.append(Upload.state.in_([state.value for state in states]))
    if type_prefix is not None:
        content_type = func.coalesce(Upload.sniffed_type, Upload.content_type)
        conditions.append(content_type.startswith(type_prefix, autoescape=True))
    return await newest_rows(session, Upload, workspace_id, most, before, *conditions)


@dataclass(frozen=True, slots=True)
class PublicUpload:
    """A file, as its public address serves it if it is ready."""

    id: str
    workspace_id: str
    key: str
    filename: str
    content_type: str
    size: int
    sha256: bytes | None
    etag: str
    is_ready: bool


async def find_public(database: Pool, token: str) -> PublicUpload | None:
    """Return the file of a token, also one that is still to come."""
    row = await database.row(_PUBLIC, token)
    return PublicUpload(*row) if row else None


async def lock_upload(session: AsyncSession, upload_id: str) -> bool:
    """Lock an upload until the transaction ends; False if it is deleted."""
    query = select(Upload.id).where(Upload.id == upload_id, _IS_KEPT)
    return await session.scalar(query.with_for_update()) is not None


async def mark_deleted(session: AsyncSession, upload_id: str, now: datetime) -> None:
    """Let a worker delete a file and its row. The caller has locked the row and knows that no post names it."""
    values = {"state": UploadState.DELETED.value, "expires_at": now}
    await update_rows(
        session, Upload, Upload.id == upload_id, **values, claimed_until=None, source_url=None, fetch_at=None
    )


class TooManyUploads(Exception):
    """An error: a workspace has as many files as it may have."""


async def lock_quota(session: AsyncSession, workspace_id: str, quota: int, *, upload_id: str | None = None) -> int:
    """Return for how many more bytes a workspace has room, at most those of one file. Raises TooManyUploads.

    `quota` is in bytes, 0 for any number. `upload_id` is the upload that gets them, if it has a row already: its own
    reservation does not count. Locks out other uploads of the workspace until the transaction ends, so that the limits
    hold exactly.
    """
    await lock(session, f"uploads.{workspace_id}")
    files, total = await reserved_bytes(session, workspace_id, but=upload_id)
    if files >= MOST_UPLOADS:
        raise TooManyUploads
    return max(0, min(LARGEST_UPLOAD, quota - total)) if quota else LARGEST_UPLOAD


async def reserved_bytes(session: AsyncSession, workspace_id: str, *, but: str | None = None) -> tuple[int, int]:
    """Return how many files a workspace has or has announced, and their bytes; without the upload `but`."""
    query = select(func.count(), func.coalesce(func.sum(Upload.reserved), 0)).where(
        Upload.workspace_id == workspace_id, Upload.id != (but or ""), Upload.state != UploadState.DELETED.value
    )
    files, total = (await session.execute(query)).one()
    return files, int(total)


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
