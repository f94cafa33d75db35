"""Thumbnails of uploads: one attempt at a time, read and decoded within limits, and recorded however it ends."""

import asyncio
from contextlib import ExitStack

import structlog

from domain.shares import Exhausted
from media.admission import Admission
from media.decoder_pool import DecoderPool
from media.own_uploads import OwnUpload
from media.refusals import Refusals
from media.spool import Spool
from media.stored import AnyFile
from platforms.errors import ErrorKind, PlatformError
from storage.base import Storage
from store.database import Database
from store.uploads.thumbnails import ThumbnailClaim, give_up_thumbnail, keep_thumbnail

log = structlog.get_logger(__name__)

MOST_COPIED = 256 * 2**20
"""Bytes of a file that is read from a bucket for its thumbnail; a file of a directory is read in place. Our choice."""
_SECONDS = 60.0
"""The time of an attempt: below that after which another one may begin."""


class ThumbnailMaker:
    """The making of thumbnails by one worker, within the shares of files and disk that its workspaces have."""

    def __init__(self, database: Database, storage: Storage, admission: Admission, decoder_pool: DecoderPool) -> None:
        self._database = database
        self._storage = storage
        self._admission = admission
        self._decoder_pool = decoder_pool

    async def make(self, claim: ThumbnailClaim) -> None:
        """Make one attempt. A failure that may pass leaves the thumbnail to the next one."""
        if claim.is_over:
            await self._give_up(claim, "interrupted")
            return
        try:
            async with asyncio.timeout(_SECONDS):
                content = await self._read_and_decode(claim)
        except PlatformError as error:
            await self._fail(claim, error.code, is_final=error.kind is ErrorKind.REJECTED)
        except (Exhausted, OSError, TimeoutError) as error:
            await self._fail(claim, type(error).__name__, is_final=False)
        else:
            async with self._database.transaction() as session:
                await keep_thumbnail(session, claim.upload_id, content)

    async def _read_and_decode(self, claim: ThumbnailClaim) -> bytes:
        if claim.size > MOST_COPIED and not self._storage.is_local:
            raise Refusals(AnyFile(""), "").too_large(MOST_COPIED)
        upload = OwnUpload(self._storage, claim.key, claim.etag, claim.size, None)
        with ExitStack() as taken:
            taken.enter_context(self._admission.files.take(claim.workspace_id))
            spool = taken.enter_context(Spool(disk=self._admission.disk.take(claim.workspace_id, 0)))
            file = await upload.fetch(AnyFile(""), spool, lambda _: None)
            return await self._decoder_pool.thumbnail(claim.workspace_id, file)

    async def _fail(self, claim: ThumbnailClaim, error_code: str, *, is_final: bool) -> None:
        if is_final or claim.is_last:
            await self._give_up(claim, error_code)
        else:
            log.info("thumbnail.postponed", upload_id=claim.upload_id, code=error_code)

    async def _give_up(self, claim: ThumbnailClaim, error_code: str) -> None:
        log.info("thumbnail.given_up", upload_id=claim.upload_id, workspace_id=claim.workspace_id, code=error_code)
        async with self._database.transaction() as session:
            await give_up_thumbnail(session, claim.upload_id, error_code)
