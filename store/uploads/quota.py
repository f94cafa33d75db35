"""The quota of a workspace: the bytes of its uploaded files and of the uploads that it has begun."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import LARGEST_UPLOAD, MOST_UPLOADS, UploadState
from store.locks import lock
from store.models import Upload


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
