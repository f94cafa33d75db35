"""The quota of a workspace: the bytes of its files, and of those that it has announced."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import MOST_UPLOADS, UploadState
from store.locks import lock
from store.models import Upload


class QuotaExceeded(Exception):
    """An error: a workspace has no room for these bytes. `available`: the bytes for which it has room."""

    def __init__(self, available: int) -> None:
        super().__init__(available)
        self.available = available


class TooManyUploads(Exception):
    """An error: a workspace has as many files as it may have."""


async def check_quota(
    session: AsyncSession, workspace_id: str, amount: int, quota: int, *, upload_id: str | None = None
) -> None:
    """Raise QuotaExceeded, TooManyUploads if a workspace has no room for `amount` bytes more.

    `upload_id` is the upload that gets them, if it has a row already: what it has reserved does not count. Locks out
    other checks of the workspace until the transaction ends, so that the limits hold exactly.
    """
    await lock(session, f"uploads.{workspace_id}")
    others = Upload.id != (upload_id or "")
    query = select(func.count(), func.coalesce(func.sum(Upload.reserved), 0)).where(
        Upload.workspace_id == workspace_id, others, Upload.state != UploadState.DELETED.value
    )
    files, total = (await session.execute(query)).one()
    if files >= MOST_UPLOADS:
        raise TooManyUploads
    if total + amount > quota:
        raise QuotaExceeded(max(0, quota - int(total)))
