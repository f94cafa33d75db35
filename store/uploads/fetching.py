"""Uploads that workers fetch: which are due, and how each attempt ends.

A claim is that of `claims.py`: its key names it, and it ends a minute after its process has died.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import CLAIMED_FOR, UNUSED_FOR, UploadState
from store.database import Pool
from store.locks import lock
from store.models import Upload

_IS_FREE = "(state = 'pending' OR (state = 'uploading' AND claimed_until < clock_timestamp()))"
IS_FETCH_DUE = f"SELECT FROM uploads WHERE fetch_at <= clock_timestamp() AND {_IS_FREE} LIMIT 1"
_DUE = text(f"""
WITH running AS (
  SELECT workspace_id, count(*) AS fetches FROM uploads
  WHERE fetch_at IS NOT NULL AND state = 'uploading' AND claimed_until >= clock_timestamp() GROUP BY workspace_id
), due AS (
  SELECT id, workspace_id, fetch_at, row_number() OVER (PARTITION BY workspace_id ORDER BY fetch_at, id) AS turn
  FROM uploads WHERE fetch_at <= clock_timestamp() AND {_IS_FREE}
)
SELECT id FROM due LEFT JOIN running USING (workspace_id)
WHERE turn + coalesce(fetches, 0) <= :most_of_workspace
ORDER BY turn + coalesce(fetches, 0), fetch_at LIMIT :most
""")  # noqa: S608 - no value of a client
_CLAIM = text(f"""
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
    query = select(func.count()).where(
        Upload.workspace_id == workspace_id, Upload.fetch_at.is_not(None), Upload.state.in_(open_states)
    )
    return await session.scalar(query) or 0


async def is_fetch_due(database: Pool) -> bool:
    """Return whether an upload is to be fetched."""
    return await database.row(IS_FETCH_DUE) is not None


async def claim_fetches(
    session: AsyncSession, new_key: Callable[[], str], most: int, most_of_workspace: int
) -> Sequence[FetchClaim]:
    """Claim up to `most` uploads that are due, each under a new key; workspaces take turns.

    A workspace has at most `most_of_workspace` claims at a time, those of other processes included.
    """
    await lock(session, "uploads.fetches")
    limits = {"most": most, "most_of_workspace": most_of_workspace}
    claims = []
    for upload_id in list(await session.scalars(_DUE, limits)):
        times = {"claimed_for": CLAIMED_FOR, "unused_for": UNUSED_FOR}
        row = (await session.execute(_CLAIM, {"id": upload_id, "key": new_key()} | times)).one_or_none()
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
