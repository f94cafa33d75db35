"""Uploads whose bytes come: the claim of the process that writes them, and what they are by their first bytes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import structlog

from domain.uploads import CLAIMED_FOR, LARGEST_UPLOAD, UploadState
from media.sniff import is_accepted, recognize
from storage.base import Storage, StorageError, Written
from store.database import Database
from store.models import Upload
from store.uploads.claims import Content, lock_open, renew_claim, settle_upload

log = structlog.get_logger(__name__)

_RENEW_EVERY_S = CLAIMED_FOR.total_seconds() / 4


@asynccontextmanager
async def renewed_claim(
    database: Database, upload_id: str, key: str, on_loss: Callable[[], object]
) -> AsyncIterator[None]:
    """Keep a claim while the block runs, and call `on_loss` if it is lost."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            try:
                async with database.transaction() as session:
                    is_kept = await renew_claim(session, upload_id, key)
            except Exception:
                # The next renewal, or the end of the upload, comes to know whether the claim is still there.
                log.warning("upload.not_renewed", upload_id=upload_id, exc_info=True)
                continue
            if not is_kept:
                on_loss()

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()


async def delete_unnamed(storage: Storage, key: str) -> None:
    """Delete bytes that no row names. The doctor lists those that remain after a failure."""
    with suppress(StorageError):
        await storage.delete(key)


async def record_arrival(
    database: Database, upload_id: str, key: str, written: Written, sniffed_type: str | None
) -> UploadState | None:
    """Record that an upload's bytes are stored under a key; None if the upload is over, or has another key.

    Returns whether it is READY, or REJECTED for its type. Bytes that no row names are for the caller to delete.
    """
    state = UploadState.READY if is_accepted(sniffed_type) else UploadState.REJECTED
    async with database.transaction() as session:
        if not await lock_open(session, upload_id, key):
            return None
        await settle_upload(
            session, upload_id, state, Content(written.size, written.sha256, written.etag, sniffed_type)
        )
    return state


async def look_for_arrival(database: Database, storage: Storage, upload: Upload) -> UploadState:
    """Return the state of an upload; if its client sends the bytes to the storage itself, look whether they are there.

    Raises StorageError.
    """
    state = upload.state_at(datetime.now(UTC))
    if state is not UploadState.PENDING or storage.is_local or upload.part_size is not None:
        return state
    stat = await storage.stat(upload.key)
    if stat is None:
        return state
    if stat.size > LARGEST_UPLOAD or (upload.size is not None and stat.size != upload.size):
        await storage.delete(upload.key)
        return state
    sniffed_type = recognize(await storage.head(upload.key, stat.etag))
    written = Written(stat.size, None, stat.etag)
    return await record_arrival(database, upload.id, upload.key, written, sniffed_type) or state
