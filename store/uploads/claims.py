"""Claims: one process at a time writes the bytes of an upload, and one whose process has ended is free again.

Each claim has a key of the storage of its own, which names it here. So a process that was frozen, and continues when
another one has the upload, writes bytes that no row names.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import CLAIMED_FOR, PARTS_WITHIN, UNUSED_FOR, UPLOAD_WITHIN, UploadState
from store.uploads.thumbnails import has_picture, request_thumbnail

_CLAIM = text("""
UPDATE uploads SET state = 'uploading', key = :key, reserved = :reserved,
  claimed_until = clock_timestamp() + :claimed_for,
  expires_at = greatest(expires_at, clock_timestamp() + :again_within)
WHERE id = :id AND expires_at > clock_timestamp() AND part_size IS NULL
  AND (state = 'pending' OR (state = 'uploading' AND claimed_until < clock_timestamp()))
RETURNING old.key
""")
_RENEW = text("""
UPDATE uploads SET claimed_until = clock_timestamp() + :claimed_for,
  expires_at = greatest(expires_at, clock_timestamp() + :again_within)
WHERE id = :id AND state = 'uploading' AND key = :key RETURNING id
""")
_RELEASE = text("""
UPDATE uploads SET state = 'pending', claimed_until = NULL, reserved = coalesce(size, 0)
WHERE id = :id AND state = 'uploading' AND key = :key
""")
_LOCK = text("SELECT id FROM uploads WHERE id = :id AND state IN ('pending', 'uploading') AND key = :key FOR UPDATE")
_SETTLE = text("""
UPDATE uploads SET state = :state, sniffed_type = :sniffed_type, size = :size, sha256 = :sha256, etag = :etag,
  reserved = :reserved, claimed_until = NULL, multipart_id = NULL, source_url = NULL, fetch_at = NULL,
  error_code = NULL, error = NULL, expires_at = clock_timestamp() + :unused_for
WHERE id = :id RETURNING workspace_id
""")
_EXTEND = text("""
UPDATE uploads SET expires_at = greatest(expires_at, clock_timestamp() + :within)
WHERE id = :id AND state = 'pending' RETURNING id
""")


async def claim_upload(session: AsyncSession, upload_id: str, key: str, reserved: int) -> str | None:
    """Begin to write an upload's bytes under a new key; None if another process writes them, or none may any more.

    Returns the key of the claim before, of which a process that died may have left bytes.
    """
    values = {"id": upload_id, "key": key, "reserved": reserved}
    times = {"claimed_for": CLAIMED_FOR, "again_within": UPLOAD_WITHIN}
    older_key: str | None = await session.scalar(_CLAIM, values | times)
    return older_key


async def renew_claim(session: AsyncSession, upload_id: str, key: str) -> bool:
    """Keep a claim; False if it is lost: the upload was deleted, or another process writes it now."""
    values = {"id": upload_id, "key": key, "claimed_for": CLAIMED_FOR, "again_within": UPLOAD_WITHIN}
    return await session.scalar(_RENEW, values) is not None


async def release_claim(session: AsyncSession, upload_id: str, key: str) -> None:
    """Let the upload begin again; nothing if the claim is lost."""
    await session.execute(_RELEASE, {"id": upload_id, "key": key})


async def extend_parts(session: AsyncSession, upload_id: str) -> bool:
    """Let an upload in parts be continued for some time from now on; False if it is over."""
    return await session.scalar(_EXTEND, {"id": upload_id, "within": PARTS_WITHIN}) is not None


async def lock_open(session: AsyncSession, upload_id: str, key: str) -> bool:
    """Lock an upload that is to be settled; False if it has been settled or deleted, or another process has it."""
    return await session.scalar(_LOCK, {"id": upload_id, "key": key}) is not None


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes that came."""

    size: int
    sha256: bytes | None
    etag: str
    sniffed_type: str | None


async def settle_upload(session: AsyncSession, upload_id: str, state: UploadState, content: Content) -> None:
    """Record that the bytes are stored, or were refused for their type. The caller has locked the row."""
    values = {
        "id": upload_id,
        "state": state.value,
        "sniffed_type": content.sniffed_type,
        "size": content.size,
        "sha256": content.sha256,
        "etag": content.etag,
        "reserved": content.size if state is UploadState.READY else 0,
        "unused_for": UNUSED_FOR,
    }
    workspace_id = await session.scalar(_SETTLE, values)
    if workspace_id and state is UploadState.READY and has_picture(content.sniffed_type):
        await request_thumbnail(session, workspace_id, upload_id)
