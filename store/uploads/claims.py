"""Claims: one process at a time writes or fetches the bytes of an upload; if it has ended, the upload is free again.

Each claim has a key of the storage of its own, which names it here. So a process that was frozen, and continues when
another one has the upload, writes bytes that no row names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import CLAIMED_FOR, PARTS_WITHIN, UNUSED_FOR, UPLOAD_WITHIN, UploadState
from store.database import Pool
from store.due import Due
from store.models import Upload
from store.rows import count_rows, lock
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


_IS_FREE = "(state = 'pending' OR (state = 'uploading' AND claimed_until < clock_timestamp()))"
TO_FETCH = Due("uploads", f"fetch_at <= :now AND {_IS_FREE}")
_DUE_FETCHES = text(f"""
WITH running AS (
  SELECT workspace_id, count(*) AS fetches FROM uploads
  WHERE fetch_at IS NOT NULL AND state = 'uploading' AND claimed_until >= clock_timestamp() GROUP BY workspace_id
), due AS (
  SELECT id, workspace_id, fetch_at, row_number() OVER (PARTITION BY workspace_id ORDER BY fetch_at, id) AS turn
  FROM uploads WHERE {TO_FETCH.sql("clock_timestamp()")}
)
SELECT id FROM due LEFT JOIN running USING (workspace_id)
WHERE turn + coalesce(fetches, 0) <= :most_of_workspace
ORDER BY turn + coalesce(fetches, 0), fetch_at LIMIT :most
""")  # noqa: S608 - no value of a client
_CLAIM_FETCH = text(f"""
UPDATE uploads SET state = 'uploading', key = :key, fetches = fetches + 1,
  claimed_until = clock_timestamp() + :claimed_for, expires_at = clock_timestamp() + :unused_for
WHERE id = :id AND fetch_at IS NOT NULL AND {_IS_FREE}
RETURNING id, workspace_id, key, old.key, source_url, filename, fetches
""")  # noqa: S608
_RESERVE = text("""
UPDATE uploads SET reserved = :size, filename = :filename, content_type = :content_type
WHERE id = :id AND state = 'uploading' AND key = :key RETURNING id
""")
_POSTPONE = text("""
UPDATE uploads SET state = 'pending', claimed_until = NULL, reserved = 0, fetches = fetches - :uncounted,
  fetch_at = clock_timestamp() + :wait, error_code = :error_code, error = :error
WHERE id = :id AND state = 'uploading' AND key = :key
""")
_FAIL = text("""
UPDATE uploads SET state = 'rejected', claimed_until = NULL, reserved = 0, source_url = NULL, fetch_at = NULL,
  error_code = :error_code, error = :error, expires_at = clock_timestamp() + :unused_for
WHERE id = :id AND state = 'uploading' AND key = :key
""")


@dataclass(frozen=True, slots=True)
class FetchClaim:
    """An attempt to fetch an upload, which only this process may make."""

    upload_id: str
    workspace_id: str
    key: str
    """The name in the storage under which its bytes are written."""
    older_key: str
    """That of the attempt before, of which a process that died may have left bytes."""
    url: str = field(repr=False)
    filename: str
    number: int
    """How many attempts there were with this one."""


@dataclass(frozen=True, slots=True)
class FetchError:
    """Why an upload was not fetched: a code, and a sentence for its owner."""

    code: str
    message: str


async def count_fetches(session: AsyncSession, workspace_id: str) -> int:
    """Return how many uploads of a workspace wait to be fetched, or are being fetched."""
    open_states = [state.value for state in UploadState if state.is_open]
    waits = (Upload.fetch_at.is_not(None), Upload.state.in_(open_states))
    return await count_rows(session, Upload.workspace_id == workspace_id, *waits)


async def is_fetch_due(database: Pool) -> bool:
    """Return whether an upload is to be fetched."""
    return await database.row(f"SELECT FROM uploads WHERE {TO_FETCH.sql()} LIMIT 1") is not None


async def claim_fetches(
    session: AsyncSession, new_key: Callable[[], str], most: int, most_of_workspace: int
) -> Sequence[FetchClaim]:
    """Claim up to `most` uploads that are due, each under a new key; workspaces take turns.

    A workspace has at most `most_of_workspace` claims at a time, those of other processes included.
    """
    await lock(session, "uploads.fetches")
    limits = {"most": most, "most_of_workspace": most_of_workspace}
    claims = []
    for upload_id in list(await session.scalars(_DUE_FETCHES, limits)):
        times = {"claimed_for": CLAIMED_FOR, "unused_for": UNUSED_FOR}
        row = (await session.execute(_CLAIM_FETCH, {"id": upload_id, "key": new_key()} | times)).one_or_none()
        if row is not None:
            claims.append(FetchClaim(*row))
    return claims


async def reserve_fetched(
    session: AsyncSession, claim: FetchClaim, size: int, filename: str, content_type: str
) -> bool:
    """Count the bytes that were fetched, and name the file by its type. False if the claim is lost."""
    values = {"id": claim.upload_id, "key": claim.key, "size": size}
    values |= {"filename": filename, "content_type": content_type}
    return await session.scalar(_RESERVE, values) is not None


async def postpone_fetch(
    session: AsyncSession, claim: FetchClaim, wait: timedelta, error: FetchError | None, *, counts: bool
) -> None:
    """Let an upload be fetched later; nothing if the claim is lost. `counts`: whether this was one of its attempts."""
    values = {"id": claim.upload_id, "key": claim.key, "wait": wait, "uncounted": 0 if counts else 1}
    await session.execute(_POSTPONE, values | _columns(error))


async def fail_fetch(session: AsyncSession, claim: FetchClaim, error: FetchError) -> None:
    """Give an upload up; nothing if the claim is lost."""
    values = {"id": claim.upload_id, "key": claim.key, "unused_for": UNUSED_FOR}
    await session.execute(_FAIL, values | _columns(error))


def _columns(error: FetchError | None) -> dict[str, str | None]:
    return {"error_code": error.code if error else None, "error": error.message if error else None}
