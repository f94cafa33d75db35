"""The work on uploads: fetch them, make their thumbnails, and delete those that nothing holds any more.

A deletion marks the row, then deletes the bytes, then the row. Wherever it is killed, the next round continues: to
delete bytes again changes nothing.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from activities.options import RETRY_WINDOW
from domain.printable import error_words
from domain.uploads import FETCHES_OF_WORKSPACE, MEDIA_KEPT, UNUSED_FOR
from media.thumbnails import ThumbnailMaker
from media.upload_fetching import UploadFetcher
from reconcile.rounds import BackgroundTask
from storage.base import Storage, StorageError, new_key
from store.database import Database
from store.models import Upload
from store.uploads.claims import TO_FETCH, FetchClaim, claim_fetches, is_fetch_due
from store.uploads.keeping import EXPIRED, delete_rows, list_deleted, list_overdue, postpone, review_uploads
from store.uploads.thumbnails import TO_MAKE, claim_thumbnail, is_thumbnail_due

_THUMBNAILS_EVERY_S = 2.0
_THUMBNAILS_REST_S = 3600.0
"""The pause without work: no post waits for a thumbnail."""


def thumbnail_task(database: Database, maker: ThumbnailMaker) -> BackgroundTask:
    """Return the task that makes what is due."""
    return BackgroundTask(
        lambda: make_thumbnails(database, maker),
        _THUMBNAILS_EVERY_S,
        "thumbnails.postponed",
        due=(TO_MAKE,),
        is_shared=True,
        rests_s=_THUMBNAILS_REST_S,
    )


async def make_thumbnails(database: Database, maker: ThumbnailMaker) -> None:
    """Begin an attempt for each thumbnail that is due."""
    while await is_thumbnail_due(database):
        # One at a time: an attempt that waits for others could outlast its claim.
        async with database.transaction() as session:
            claim = await claim_thumbnail(session)
        if claim is None:
            # Another worker has just begun with what was due.
            return
        await maker.make(claim)


log = structlog.get_logger(__name__)

MOST_AT_ONCE = 16
"""Uploads that a worker fetches at the same time; our choice."""
_FETCHES_EVERY_S = 1.0


class UploadFetches:
    """The uploads that this worker fetches."""

    def __init__(self, database: Database, fetcher: UploadFetcher) -> None:
        self._database = database
        self._fetcher = fetcher
        self._running = set[asyncio.Task[None]]()

    def task(self) -> BackgroundTask:
        """Return the task that begins what is due, every second."""
        return BackgroundTask(
            self.begin_due,
            _FETCHES_EVERY_S,
            "upload_fetches.postponed",
            close=self.close,
            due=(TO_FETCH,),
            is_shared=True,
        )

    async def begin_due(self) -> int:
        """Begin to fetch the uploads that are due, as far as this worker may; return how many."""
        free = MOST_AT_ONCE - len(self._running)
        if free < 1 or not await is_fetch_due(self._database):
            return 0
        async with self._database.transaction() as session:
            claims = await claim_fetches(session, new_key, free, FETCHES_OF_WORKSPACE)
        for claim in claims:
            task = asyncio.create_task(self._fetch(claim))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(claims)

    async def close(self) -> None:
        """Stop fetching; another worker begins with these uploads at once."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _fetch(self, claim: FetchClaim) -> None:
        try:
            await self._fetcher.fetch(claim)
        except Exception:
            # The claim ends by itself, and the upload is fetched again.
            log.exception("upload.fetch_broke", upload_id=claim.upload_id)


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
        due=(EXPIRED,),
        is_shared=True,
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
