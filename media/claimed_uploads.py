"""The claim of a process that writes the bytes of an upload, while it writes them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from domain.uploads import CLAIMED_FOR
from storage.base import Storage
from storage.errors import StorageError
from store.database import Database
from store.uploads.claims import renew_claim

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
