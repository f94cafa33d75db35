"""Deletion of uploads that nothing holds any more: the row is marked, then the bytes go, then the row.

Wherever it is killed, the next round continues: the mark says that the bytes may be gone, and to delete them again
changes nothing.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from activities.options import RETRY_WINDOW
from domain.printable import error_words
from domain.uploads import MEDIA_KEPT, UNUSED_FOR
from reconcile.rounds import BackgroundTask
from storage.base import Storage, StorageError
from store.database import Database
from store.models import Upload
from store.uploads.keeping import delete_rows, list_deleted, list_overdue, postpone, review_uploads

log = structlog.get_logger(__name__)

BATCH = 100
_EVERY_S = 30.0
_PAUSE_S = 0.1
_CONCURRENCY = 4
_RETRY_AFTER = timedelta(minutes=10)
"""When a file is tried again that could not be deleted: it must not hold up the others."""


def upload_task(database: Database, storage: Storage, keep: timedelta = MEDIA_KEPT) -> BackgroundTask:
    """Return the task that deletes uploads twice a minute. `keep` is counted after the time for retries."""
    return BackgroundTask(
        lambda: expire_uploads(database, storage, datetime.now(UTC), keep),
        _EVERY_S,
        "uploads.postponed",
        looks_for="uploads",
    )


async def expire_uploads(
    database: Database, storage: Storage, now: datetime, keep: timedelta = MEDIA_KEPT, *, batch: int = BATCH
) -> int:
    """Delete all uploads whose time is over; returns how many."""
    try:
        await _keep_arrived(database, storage, now, batch)
    except StorageError as error:
        # Without a look at the storage, a file that has come would be deleted.
        log.warning("uploads.postponed", reason=error_words(error))
        return 0
    while True:
        async with database.transaction() as session:
            decided = await review_uploads(session, now, batch, keep=RETRY_WINDOW + keep)
        if decided < batch:
            break
        await asyncio.sleep(_PAUSE_S)
    deleted = 0
    while marked := await _marked(database, now, batch):
        deleted += await _delete(database, storage, marked)
        await asyncio.sleep(_PAUSE_S)
    return deleted


async def _keep_arrived(database: Database, storage: Storage, now: datetime, batch: int) -> None:
    """Keep uploads that clients have sent to the storage past this service, and that no request has looked at yet."""
    if storage.is_local:
        return
    while True:
        async with database.reading() as session:
            overdue = await list_overdue(session, now, batch)
        stats = await asyncio.gather(*(storage.stat(upload.key) for upload in overdue))
        arrived = [upload.id for upload, stat in zip(overdue, stats, strict=True) if stat is not None]
        async with database.transaction() as session:
            await postpone(session, arrived, now + UNUSED_FOR)
        if len(arrived) < batch:
            return


async def _marked(database: Database, now: datetime, batch: int) -> Sequence[Upload]:
    async with database.reading() as session:
        return await list_deleted(session, now, batch)


async def _delete(database: Database, storage: Storage, uploads: Sequence[Upload]) -> int:
    gate, gone, failed = asyncio.Semaphore(_CONCURRENCY), list[str](), list[str]()

    async def delete(upload: Upload) -> None:
        async with gate:
            try:
                await storage.delete(upload.key)
            except StorageError as error:
                log.warning("uploads.not_deleted", upload_id=upload.id, reason=error_words(error))
                failed.append(upload.id)
            else:
                gone.append(upload.id)

    await asyncio.gather(*map(delete, uploads))
    async with database.transaction() as session:
        await delete_rows(session, gone)
        await postpone(session, failed, datetime.now(UTC) + _RETRY_AFTER)
    if gone:
        log.info("uploads.deleted", files=len(gone))
    return len(gone)
