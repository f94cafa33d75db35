"""Uploads of clients as the media of posts: read from the storage, and never fetched."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from domain.post import Media
from domain.printable import error_words
from domain.uploads import LARGEST_UPLOAD, OwnHosts, UploadState, public_url, upload_token
from media.download import media_type, most_media_bytes
from media.refusals import Refusals
from media.sniff import HEAD
from media.spool import Spool, off_the_loop
from media.stored import AnyFile, StoredFile, stored
from media.upload_arrivals import look_for_arrival
from storage.base import ObjectMissing, Storage, StorageError
from store.database import Database
from store.models import Upload
from store.uploads.rows import find_uploads_by_token

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OwnUpload:
    """An upload of the workspace whose post names it."""

    storage: Storage
    key: str
    etag: str
    size: int
    public_url: str | None
    """Where platforms fetch it; None if this service has no public address."""

    async def fetch(self, media: Media | AnyFile, spool: Spool, progress: Callable[[int], None]) -> StoredFile:
        """Let a spool read the file in place, or copy it into the spool if the storage is elsewhere.

        Raises PlatformError: `rejected` if it is not there any more or of another type than the post says, `transient`
        if the storage cannot be read. Raises Exhausted if the spool has no room for a copy.
        """
        refusals = Refusals(media, "")
        async with _storage_errors(refusals):
            descriptor = await self.storage.open_local(self.key)
            if descriptor is not None:
                spool.read_stored(descriptor)
            else:
                spool.reserve(self.size)
                async for piece in self.storage.read(self.key, etag=self.etag):
                    await asyncio.to_thread(spool.append, piece)
                    progress(spool.size)
        if spool.size != self.size:
            log.error("media.upload_changed", key=self.key, size=spool.size, expected=self.size)
            raise refusals.gone()
        head = await off_the_loop(self.size, spool.read_at, 0, HEAD)
        return stored(spool, media_type(media.type, head, refusals))

    async def probe(self, media: Media, most_bytes: int | None) -> str:
        """Return what the first bytes show it to be. Raises PlatformError as `fetch` and `check_size` do."""
        check_size(self, media, LARGEST_UPLOAD if most_bytes is None else most_bytes)
        refusals = Refusals(media, "")
        async with _storage_errors(refusals):
            return media_type(media.type, await self.storage.head(self.key, self.etag), refusals)


class OwnUploads:
    """The uploads in the storage of this service.

    An address with the token of an upload of the workspace is that upload, whatever its host is. An unknown token at
    one of `addresses`, under which this service serves uploads, is one that does not exist; at another host it belongs
    to a stranger. A token of another workspace is unknown. `public_base` is the address at which platforms fetch.
    """

    def __init__(
        self, database: Database, storage: Storage | None, addresses: Iterable[str] = (), public_base: str | None = None
    ) -> None:
        self._database = database
        self._storage = storage
        self._hosts = OwnHosts(addresses)
        self._public_base = public_base

    async def find(self, workspace_id: str, media: Media) -> OwnUpload | None:
        """Return the upload that a media item names; None if it is no upload.

        Raises PlatformError: `rejected` if the upload does not exist, has not come or is no media file, `transient` if
        the storage cannot be read.
        """
        if (token := upload_token(media.url)) is None:
            return None
        row = await self._find_row(workspace_id, token)
        refusals = Refusals(media, "")
        if row is None:
            if media.url in self._hosts:
                raise refusals.gone()
            return None
        if self._storage is None:
            log.error("media.no_storage", hint="set SOCIALSYNCER_STORAGE for workers as for the api")
            raise refusals.storage_unavailable()
        if row.state_at(datetime.now(UTC)).is_open:
            # Its client may have sent it past this service, and no request has looked since.
            async with _storage_errors(refusals):
                await look_for_arrival(self._database, self._storage, row)
            row = await self._find_row(workspace_id, token)
        if row is None or row.state_at(datetime.now(UTC)).is_open:
            raise refusals.not_uploaded()
        if row.state == UploadState.REJECTED:
            raise refusals.not_fetched(row.error) if row.error else refusals.unknown_type()
        base, name = self._public_base, (row.token, row.filename, row.content_type)
        return OwnUpload(
            self._storage, row.key, row.etag or "", row.size or 0, public_url(base, *name) if base else None
        )

    async def _find_row(self, workspace_id: str, token: str) -> Upload | None:
        async with self._database.reading() as session:
            rows = await find_uploads_by_token(session, workspace_id, [token])
        return rows[0] if rows else None


@asynccontextmanager
async def _storage_errors(refusals: Refusals) -> AsyncIterator[None]:
    """Raise errors of the storage as PlatformError."""
    try:
        yield
    except ObjectMissing as error:
        raise refusals.gone() from error
    except StorageError as error:
        log.warning("media.storage_unavailable", reason=error_words(error))
        raise refusals.storage_unavailable() from error


def check_size(upload: OwnUpload, media: Media, most_bytes: int) -> None:
    """Raise PlatformError if an upload is empty, or larger than its user takes."""
    refusals = Refusals(media, "")
    if not upload.size:
        raise refusals.empty()
    limit = most_media_bytes(media.type, min(most_bytes, LARGEST_UPLOAD))
    if upload.size > limit:
        raise refusals.too_large(limit)
