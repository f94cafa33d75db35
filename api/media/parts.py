"""Uploads in parts, and the files of a workspace: looked at, completed, listed and deleted."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.http.query import Query, cut_page
from api.media.schemas import (
    NO_UPLOAD,
    NOT_UPLOADED,
    OVER,
    DeletedUploadView,
    MediaRejected,
    MultipartView,
    PartView,
    ReceivedPartView,
    UploadListView,
    UploadView,
    differs,
    require_storage,
    signed_secret,
    signing_keys,
    storage_errors,
    upload_public_url,
    upload_url,
    upload_views,
)
from domain.errors import Conflict, NotFound, Problem, Unprocessable
from domain.schedule import rfc3339
from domain.uploads import PARTS_WITHIN, ShownState, UploadState
from media.sniff import recognize
from media.upload_arrivals import look_for_arrival, record_arrival
from storage.base import PartBusy, PartPlan, PartsMissing, Storage, TooLong, TooShort
from store.models import Upload
from store.uploads.claims import extend_parts, lock_open
from store.uploads.rows import find_upload, list_uploads, lock_upload, mark_deleted, read_uses

_NO_PARTS = NotFound(Problem("This workspace has no such upload in parts, or it is complete", "not_found"))
_NO_PART = NotFound(Problem("The upload has no part of this number", "not_found"))
_BUSY = Conflict(Problem("Another request is sending this part, or completes the upload", "conflict"))
_MOST_NAMED = 20
"""Missing parts that a refusal names."""


class OpenParts:
    """An upload in parts that is not complete."""

    def __init__(self, deps: Dependencies, upload: Upload) -> None:
        if upload.part_size is None or upload.multipart_id is None or upload.size is None:
            raise _NO_PARTS
        self.upload = upload
        self.plan = PartPlan(upload.size, upload.part_size)
        self._deps = deps
        self._multipart_id = upload.multipart_id
        self._storage: Storage = require_storage(deps)

    @classmethod
    async def from_request(cls, request: HttpRequest, workspace_id: str, deps: Dependencies) -> Self:
        """Return the upload that the path names. Raises NotFound."""
        async with deps.database.reading() as session:
            upload = await find_upload(session, workspace_id, request.path_params["media_id"])
        if upload is None:
            raise _NO_PARTS
        return cls(deps, upload)

    async def view(self, request: HttpRequest) -> MultipartView:
        """Return the upload as answers show it, with addresses for the parts that are missing."""
        with storage_errors():
            received = {
                part.number for part in await self._storage.parts(self.upload.key, self._multipart_id, self.plan)
            }
        key = (await signing_keys(self._deps))[0]
        return MultipartView(
            id=self.upload.id,
            publicUrl=upload_public_url(self._deps, request, self.upload),
            size=self.plan.size,
            partSize=self.plan.part_size,
            parts=[
                await self._part(request, key, number, number in received) for number in range(1, self.plan.count + 1)
            ],
            expiresAt=rfc3339(self.upload.expires_at or datetime.now(UTC)),
        )

    async def _part(self, request: HttpRequest, key: bytes, number: int, received: bool) -> PartView:
        address = None
        if not received:
            with storage_errors():
                signed = await self._storage.sign_part(
                    self.upload.key, self._multipart_id, self.plan, number, int(PARTS_WITHIN.total_seconds())
                )
            address = signed.url if signed else upload_url(self._deps, request, signed_secret(key, self.upload, number))
        return PartView(number=number, size=self.plan.length(number), received=received, uploadUrl=address)

    async def receive(self, number: str, pieces: AsyncIterator[bytes], length: int | None) -> ReceivedPartView:
        """Store a part. It may be sent again. Raises PostsError; nothing of the part counts then."""
        if not number.isdecimal() or not number.isascii() or not 1 <= int(number[:6]) <= self.plan.count:
            raise _NO_PART
        size = self.plan.length(int(number))
        if length not in (None, size):
            raise differs("size", size, length)
        await self._extend()
        try:
            with storage_errors():
                await self._storage.write_part(self.upload.key, self._multipart_id, self.plan, int(number), pieces)
        except PartBusy as error:
            raise _BUSY from error
        except (TooLong, TooShort) as error:
            raise differs("size", size, "another number") from error
        await self._extend()
        return ReceivedPartView(number=int(number), size=size)

    async def _extend(self) -> None:
        async with self._deps.database.transaction() as session:
            if not await extend_parts(session, self.upload.id):
                raise OVER

    async def complete(self) -> None:
        """Make the parts a file. Raises PostsError; after a failure the request can be repeated."""
        try:
            with storage_errors():
                written = await self._storage.complete_multipart(self.upload.key, self._multipart_id, self.plan)
                head = await self._storage.head(self.upload.key, written.etag)
                if self.upload.sha256 is not None and written.sha256 is None:
                    written = replace(written, sha256=await self._digest(written.etag))
        except PartsMissing as error:
            numbers = ", ".join(map(str, error.numbers[:_MOST_NAMED]))
            raise Unprocessable(Problem(f"Parts of the file have not come: {numbers}", "media_not_uploaded")) from error
        except PartBusy as error:
            raise _BUSY from error
        if self.upload.sha256 not in (written.sha256, None):
            await self._give_up()
            raise differs("sha256", (self.upload.sha256 or b"").hex(), (written.sha256 or b"").hex())
        sniffed_type = recognize(head)
        state = await record_arrival(self._deps.database, self.upload.id, self.upload.key, written, sniffed_type)
        if state is UploadState.REJECTED:
            with storage_errors():
                await self._storage.delete(self.upload.key)
            raise MediaRejected(sniffed_type)

    async def _digest(self, etag: str) -> bytes:
        """Return the SHA-256 of a file of which the storage has computed none."""
        digest = hashlib.sha256()
        async for piece in self._storage.read(self.upload.key, etag=etag):
            await asyncio.to_thread(digest.update, piece)
        return digest.digest()

    async def _give_up(self) -> None:
        """Delete a file that cannot be completed: its parts are used up."""
        async with self._deps.database.transaction() as session:
            if not await lock_open(session, self.upload.id, self.upload.key):
                raise OVER
            await mark_deleted(session, self.upload.id, datetime.now(UTC))
        with storage_errors():
            await self._storage.delete(self.upload.key)


_IN_USE = Conflict(
    Problem(
        "A draft, a post that is not published yet or a series uses this file; change or delete that first",
        "media_in_use",
    )
)


async def require_upload(deps: Dependencies, workspace_id: str, upload_id: str) -> Upload:
    """Return a file of a workspace. Raises NotFound."""
    async with deps.database.reading() as session:
        upload = await find_upload(session, workspace_id, upload_id) if upload_id.isprintable() else None
    if upload is None:
        raise NO_UPLOAD
    return upload


async def upload_view(deps: Dependencies, request: HttpRequest, workspace_id: str, upload_id: str) -> UploadView:
    """Return a file as it is now. Raises NotFound."""
    upload = await require_upload(deps, workspace_id, upload_id)
    async with deps.database.reading() as session:
        (shown,) = await upload_views(deps, request, session, [upload])
    return shown


async def complete(deps: Dependencies, request: HttpRequest, workspace_id: str, upload_id: str) -> UploadView:
    """Return a file whose bytes have come; makes it of its parts if it came in parts. Raises PostsError."""
    upload = await require_upload(deps, workspace_id, upload_id)
    if upload.multipart_id is not None:
        await OpenParts(deps, upload).complete()
        state = UploadState.READY
    else:
        with storage_errors():
            state = await look_for_arrival(deps.database, require_storage(deps), upload)
    if state is UploadState.REJECTED:
        current = await require_upload(deps, workspace_id, upload_id)
        raise MediaRejected(current.sniffed_type, current.error)
    if state is not UploadState.READY:
        raise NOT_UPLOADED
    return await upload_view(deps, request, workspace_id, upload_id)


async def delete(deps: Dependencies, workspace_id: str, upload_id: str) -> DeletedUploadView:
    """Delete a file that nothing needs any more. Raises NotFound, Conflict."""
    upload = await require_upload(deps, workspace_id, upload_id)
    async with deps.database.transaction() as session:
        # Posts and series that begin to name it wait for this lock, and then do not find it.
        if not await lock_upload(session, upload.id):
            raise NO_UPLOAD
        if (await read_uses(session, [upload.id]))[upload.id].is_held:
            raise _IN_USE
        await mark_deleted(session, upload.id, datetime.now(UTC))
    return DeletedUploadView(id=upload.id, deleted=True)


async def list_page(deps: Dependencies, request: HttpRequest, workspace_id: str, query: Query) -> UploadListView:
    """Return one page of files."""
    state: ShownState | None = query["state"]
    async with deps.database.reading() as session:
        uploads = await list_uploads(
            session,
            workspace_id,
            before=query["cursor"],
            most=query["limit"] + 1,
            states=state.states if state else (),
            type_prefix=f"{query['type']}/" if query["type"] else None,
        )
        page, cursor = cut_page(uploads, query["limit"])
        shown = await upload_views(deps, request, session, page)
    return UploadListView(media=shown, cursor=cursor, hasMore=cursor is not None)
