"""Claims: one process at a time writes the bytes of an upload, and one whose process has ended is free again."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import CLAIMED_FOR, UNUSED_FOR, UPLOAD_WITHIN, UploadState

_CLAIM = text("""
UPDATE uploads SET state = 'uploading', claim = :claim, reserved = :reserved,
  claimed_until = clock_timestamp() + :claimed_for
WHERE id = :id AND expires_at > clock_timestamp()
  AND (state = 'pending' OR (state = 'uploading' AND claimed_until < clock_timestamp()))
RETURNING id
""")
_RENEW = text("""
UPDATE uploads SET claimed_until = clock_timestamp() + :claimed_for,
  expires_at = greatest(expires_at, clock_timestamp() + :again_within)
WHERE id = :id AND state = 'uploading' AND claim = :claim RETURNING id
""")
_RELEASE = text("""
UPDATE uploads SET state = 'pending', claim = NULL, claimed_until = NULL, reserved = coalesce(size, 0),
  expires_at = greatest(expires_at, clock_timestamp() + :again_within)
WHERE id = :id AND state = 'uploading' AND claim = :claim
""")
_LOCK = text("SELECT id FROM uploads WHERE id = :id AND state = 'uploading' AND claim = :claim FOR UPDATE")
_SETTLE = text("""
UPDATE uploads SET state = :state, sniffed_type = :sniffed_type, size = :size, sha256 = :sha256,
  etag = :etag, reserved = :reserved, claim = NULL, claimed_until = NULL, multipart_id = NULL,
  expires_at = clock_timestamp() + :unused_for
WHERE id = :id
""")


async def claim_upload(session: AsyncSession, upload_id: str, claim: str, reserved: int) -> bool:
    """Begin to write an upload's bytes; False if another process writes them, or none may any more."""
    values = {"id": upload_id, "claim": claim, "reserved": reserved, "claimed_for": CLAIMED_FOR}
    return await session.scalar(_CLAIM, values) is not None


async def renew_claim(
    session: AsyncSession, upload_id: str, claim: str, again_within: timedelta = UPLOAD_WITHIN
) -> bool:
    """Keep a claim; False if it is lost: the upload was deleted, or another process writes it now."""
    values = {"id": upload_id, "claim": claim, "claimed_for": CLAIMED_FOR, "again_within": again_within}
    return await session.scalar(_RENEW, values) is not None


async def release_claim(
    session: AsyncSession, upload_id: str, claim: str, again_within: timedelta = UPLOAD_WITHIN
) -> None:
    """Let the upload begin again; nothing if the claim is lost."""
    await session.execute(_RELEASE, {"id": upload_id, "claim": claim, "again_within": again_within})


async def lock_claimed(session: AsyncSession, upload_id: str, claim: str) -> bool:
    """Lock the row until the transaction ends; False if the claim is lost.

    Within this transaction, the bytes get their name in the storage: a process that was frozen cannot replace the file
    of another.
    """
    return await session.scalar(_LOCK, {"id": upload_id, "claim": claim}) is not None


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
    await session.execute(_SETTLE, values)
