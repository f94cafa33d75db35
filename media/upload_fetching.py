"""Uploads that a worker fetches from an address that a client names, one attempt at a time.

Wherever an attempt is killed, its claim ends after a minute and another one begins: the row names only bytes that are
stored whole, and the next attempt deletes what the last one may have stored.
"""

import asyncio
from datetime import timedelta

import structlog

from domain.printable import error_words
from domain.shares import Exhausted
from domain.uploads import FETCH_AGAIN_AFTER, LARGEST_UPLOAD, named_by_type
from media.refusals import TOO_LARGE
from media.shared_files import SharedFiles
from media.stored import AnyFile, StoredFile
from media.upload_arrivals import delete_unnamed, record_arrival, renewed_claim
from platforms.errors import ErrorKind, PlatformError
from storage.base import Storage, StorageError
from store.database import Database
from store.uploads.claims import FetchClaim, FetchError, fail_fetch, postpone_fetch, reserve_fetched
from store.uploads.rows import lock_quota, reserved_bytes

log = structlog.get_logger(__name__)

_PIECE = 2**20
_NO_SHARE = timedelta(seconds=5)
"""When an upload is tried again for which its workspace's share of fetches, files or disk has no room now."""
_INTERRUPTED = FetchError(
    "media_unavailable", "The file could not be fetched: this service was interrupted in each attempt. Try again."
)
_NO_DISK = FetchError("storage_unavailable", "This service has no disk space for the file at the moment.")
_STORAGE_AWAY = FetchError("storage_unavailable", "The file was fetched, but cannot be stored at the moment.")


class _QuotaExceeded(Exception):
    """An error: the workspace has no room for a file that was fetched."""

    def __init__(self, room: int) -> None:
        sentence = (
            f"This workspace's files have room for {max(room, 0):,} bytes more; delete some, and upload it again."
        )
        self.reason = FetchError("storage_quota_exceeded", sentence)
        super().__init__(sentence)


class UploadFetcher:
    """The fetching of uploads into the storage. `quota`: the bytes of a workspace's uploads, 0 for any number."""

    def __init__(self, database: Database, storage: Storage, files: SharedFiles, quota: int) -> None:
        self._database = database
        self._storage = storage
        self._files = files
        self._quota = quota

    async def fetch(self, claim: FetchClaim) -> None:
        """Make one attempt, and write into the upload's row how it ended. If the claim is lost, nothing is written."""
        try:
            async with asyncio.timeout(None) as claimed:
                async with renewed_claim(self._database, claim.upload_id, claim.key, lambda: claimed.reschedule(0)):
                    await self._attempt(claim)
        except TimeoutError:
            if not claimed.expired():
                raise
            log.info("upload.fetch_lost", upload_id=claim.upload_id)
        except asyncio.CancelledError:
            # Another worker may begin at once.
            await asyncio.shield(self._postpone(claim, timedelta(0), None, counts=False))
            raise
        except Exhausted:
            await self._postpone(claim, _NO_SHARE, None, counts=False)
        except _QuotaExceeded as error:
            await self._fail(claim, error.reason)
        except PlatformError as error:
            reason = FetchError(error.code, error.message)
            await (self._fail if error.kind is ErrorKind.REJECTED else self._try_again)(claim, reason)
        except StorageError as error:
            log.warning("media.storage_unavailable", reason=error_words(error))
            await self._try_again(claim, _STORAGE_AWAY)
        except OSError as error:
            log.warning("media.no_disk_space", reason=type(error).__name__)
            await self._try_again(claim, _NO_DISK)

    async def _attempt(self, claim: FetchClaim) -> None:
        await delete_unnamed(self._storage, claim.older_key)
        if claim.number > len(FETCH_AGAIN_AFTER) + 1:
            await self._fail(claim, _INTERRUPTED)
            return
        room = await self._room(claim)
        if room < 1:
            raise _QuotaExceeded(room)
        try:
            async with self._files.fetch(claim.workspace_id, AnyFile(claim.url), room) as file:
                await self._store(claim, file)
        except PlatformError as error:
            if error.code == TOO_LARGE and room < self._files.max_bytes:
                raise _QuotaExceeded(room) from error
            raise

    async def _store(self, claim: FetchClaim, file: StoredFile) -> None:
        """Count a fetched file, and store it. If the claim is lost meanwhile, nothing of it remains."""
        name = named_by_type(claim.filename, file.content_type)
        async with self._database.transaction() as session:
            room = await lock_quota(session, claim.workspace_id, self._quota, upload_id=claim.upload_id)
            if room < file.size:
                raise _QuotaExceeded(room)
            if not await reserve_fetched(session, claim, file.size, name, file.content_type):
                return
        written = await self._storage.write(claim.key, file.spool.chunks(_PIECE), file.size)
        state = await record_arrival(self._database, claim.upload_id, claim.key, written, file.content_type)
        if state is None:
            await delete_unnamed(self._storage, claim.key)
            return
        log.info("upload.fetched", upload_id=claim.upload_id, workspace_id=claim.workspace_id, size=written.size)

    async def _room(self, claim: FetchClaim) -> int:
        """Return for how many bytes the workspace has room now, at most those of one file."""
        if not self._quota:
            return LARGEST_UPLOAD
        async with self._database.reading() as session:
            _, total = await reserved_bytes(session, claim.workspace_id, but=claim.upload_id)
        return min(LARGEST_UPLOAD, self._quota - total)

    async def _try_again(self, claim: FetchClaim, reason: FetchError) -> None:
        """Let the upload be fetched later, or give it up after the last attempt."""
        if claim.number > len(FETCH_AGAIN_AFTER):
            await self._fail(claim, reason)
        else:
            await self._postpone(claim, FETCH_AGAIN_AFTER[claim.number - 1], reason, counts=True)

    async def _postpone(self, claim: FetchClaim, wait: timedelta, reason: FetchError | None, *, counts: bool) -> None:
        async with self._database.transaction() as session:
            await postpone_fetch(session, claim, wait, reason, counts=counts)

    async def _fail(self, claim: FetchClaim, reason: FetchError) -> None:
        async with self._database.transaction() as session:
            await fail_fetch(session, claim, reason)
        log.info("upload.fetch_failed", upload_id=claim.upload_id, workspace_id=claim.workspace_id, code=reason.code)
