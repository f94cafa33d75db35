"""Deletion of uploads: mark the unused ones, then delete the marked rows; and the marker of their storage."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import UNUSED_FOR, UploadState
from store import rows
from store.due import Due
from store.models import StorageMarker, Upload
from store.rows import update_rows
from store.uploads.rows import UploadUses, mark_deleted, read_uses


async def read_marker(session: AsyncSession) -> str | None:
    """Return the key of the marker; None if no process has named one yet."""
    return await session.scalar(select(StorageMarker.key))


async def name_marker(session: AsyncSession, key: str) -> str:
    """Name the marker if no process has done so before, and return the key that was named first."""
    await session.execute(insert(StorageMarker).values(key=key).on_conflict_do_nothing())
    return (await session.scalars(select(StorageMarker.key))).one()


_LOOK_EVERY = timedelta(days=1)
"""How often an upload is looked at that is held; our choice."""
_UNSETTLED = [UploadState.PENDING.value, UploadState.UPLOADING.value]


EXPIRED = Due("uploads", "uploads.expires_at <= :now")


async def review_uploads(session: AsyncSession, now: datetime, most: int, *, keep: timedelta) -> int:
    """Mark uploads whose time has come for deletion unless something holds them; return how many were looked at.

    Those that are held get a later time. `keep`: how long an upload is kept after its last post has settled.
    """
    query = select(Upload).where(EXPIRED.at(now), Upload.state != UploadState.DELETED.value)
    query = query.order_by(Upload.expires_at).limit(most).with_for_update(skip_locked=True)
    uploads = list(await session.scalars(query, execution_options={"populate_existing": True}))
    uses = await read_uses(session, [upload.id for upload in uploads])
    for upload in uploads:
        again_at = _next_look(upload, uses[upload.id], now, keep)
        if again_at is None:
            await mark_deleted(session, upload.id, now)
        else:
            upload.expires_at = again_at
    return len(uploads)


def _next_look(upload: Upload, uses: UploadUses, now: datetime, keep: timedelta) -> datetime | None:
    """Return when an upload is looked at again; None if it is to be deleted."""
    if UploadState(upload.state).is_open:
        return None
    if uses.is_held:
        return now + _LOOK_EVERY
    free_at = uses.rested_at + keep if uses.rested_at else now
    return free_at if free_at > now else None


async def list_overdue(session: AsyncSession, now: datetime, most: int) -> Sequence[Upload]:
    """Return uploads of the last days whose bytes had to come by now, and have not come through this service."""
    began_lately = Upload.created_at > now - UNUSED_FOR
    query = select(Upload).where(EXPIRED.at(now), Upload.state.in_(_UNSETTLED), began_lately)
    return list(await session.scalars(query.order_by(Upload.expires_at).limit(most)))


async def list_deleted(session: AsyncSession, now: datetime, most: int) -> Sequence[Upload]:
    """Return uploads that are marked for deletion."""
    query = select(Upload).where(EXPIRED.at(now), Upload.state == UploadState.DELETED.value)
    return list(await session.scalars(query.order_by(Upload.expires_at).limit(most)))


async def postpone(session: AsyncSession, upload_ids: Collection[str], until: datetime) -> None:
    """Let uploads be looked at later."""
    await update_rows(session, Upload, Upload.id.in_(upload_ids), expires_at=until)


async def delete_rows(session: AsyncSession, upload_ids: Collection[str]) -> None:
    """Delete the rows of uploads whose bytes are gone."""
    await rows.delete_rows(session, Upload.id, Upload.id.in_(upload_ids), Upload.state == UploadState.DELETED.value)


async def known_keys(session: AsyncSession, keys: Collection[str]) -> set[str]:
    """Return those of some objects of the storage that the database knows."""
    known = set(await session.scalars(select(Upload.key).where(Upload.key.in_(keys))))
    marker = await read_marker(session)
    return known | ({marker} if marker else set())
