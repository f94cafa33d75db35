"""The quota of a workspace: the bytes of its files, and of those that it has announced."""

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
    query = select(func.count(), func.coalesce(func.sum(Upload.reserved), 0)).where(
        Upload.workspace_id == workspace_id, Upload.id != (upload_id or ""), Upload.state != UploadState.DELETED.value
    )
    files, total = (await session.execute(query)).one()
    if files >= MOST_UPLOADS:
        raise TooManyUploads
    return max(0, min(LARGEST_UPLOAD, quota - int(total))) if quota else LARGEST_UPLOAD
