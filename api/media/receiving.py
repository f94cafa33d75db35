"""Receive the bytes of an upload or a form: one writer at a time, all or nothing."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from litestar.exceptions import InternalServerException
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header
from pydantic import ValidationError

from api.dependencies import Dependencies
from api.errors import PayloadTooLarge, UnsupportedMediaType
from api.http.headers import HttpRequest
from api.media.beginning import begin
from api.media.schemas import (
    BROKEN_OFF,
    BUSY,
    EMPTY,
    LONGEST_FILENAME,
    NO_ADDRESS,
    NO_UPLOAD,
    OVER,
    TOO_LARGE,
    TOO_MANY,
    MediaRejected,
    PresignBody,
    differs,
    quota_exceeded,
    require_storage,
    storage_errors,
)
from domain.errors import Conflict, InvalidRequest, PostsError, Problem
from domain.uploads import LARGEST_UPLOAD, UploadState
from media.sniff import HEAD, is_accepted, recognize
from media.upload_arrivals import delete_unnamed, record_arrival, renewed_claim
from storage.base import Storage, TooLong, Written, new_key
from store.models import Upload
from store.uploads.claims import claim_upload, release_claim
from store.uploads.rows import TooManyUploads, find_upload, lock_quota, lock_upload, mark_deleted


async def body_pieces(request: HttpRequest) -> AsyncIterator[bytes]:
    """Yield the body as it comes. Raises InvalidRequest if it ends early."""
    if read_ahead := request.scope["state"].get("read_ahead"):
        read_ahead()
    try:
        async for piece in request.stream():
            if piece:
                yield piece
    except InternalServerException as error:
        # Litestar's exception for a client that disconnected while it was sending.
        raise BROKEN_OFF from error


class FileStream:
    """The bytes of a file as they come, refused as soon as their type or their number is wrong.

    `size` and `sniffed_type` are known at the end. `announced` is the number of bytes that must come, if it is known.
    """

    def __init__(self, pieces: AsyncIterator[bytes], announced: int | None) -> None:
        self.size = 0
        self.sniffed_type: str | None = None
        self._pieces = pieces
        self._announced = announced
        self._head = b""
        self._stopped: Exception | None = None

    def stop(self, error: Exception) -> None:
        """Let the next piece raise an error."""
        self._stopped = error

    async def checked(self) -> AsyncIterator[bytes]:
        """Yield the bytes. Raises Unprocessable, InvalidRequest."""
        async for piece in self._pieces:
            if self._stopped is not None:
                raise self._stopped
            self.size += len(piece)
            if self._announced is not None and self.size > self._announced:
                raise differs("size", self._announced, f"{self.size} or more")
            if len(self._head) < HEAD:
                self._head += piece[: HEAD - len(self._head)]
                if len(self._head) == HEAD:
                    self._recognize()
            yield piece
        if not self.size:
            raise EMPTY
        if self._announced is not None and self.size != self._announced:
            raise differs("size", self._announced, self.size)
        if len(self._head) < HEAD:
            self._recognize()

    def _recognize(self) -> None:
        self.sniffed_type = recognize(self._head)
        if not is_accepted(self.sniffed_type):
            raise MediaRejected(self.sniffed_type)


log = structlog.get_logger(__name__)

_HASHED = 2**20
"""Bytes that are hashed at a time, in a thread."""
_DIFFERENT = Conflict(Problem("The upload is complete, and its bytes are others than these", "conflict"))


async def receive(
    deps: Dependencies,
    upload: Upload,
    pieces: AsyncIterator[bytes],
    length: int | None,
    most: int = LARGEST_UPLOAD,
) -> Upload:
    """Store the bytes of an upload and return its row.

    `length` is the number of the bytes, if it is known; else there may be `most`. A repeat of a complete upload with
    the same bytes is answered as the first. If the upload may not be written, raises PostsError and reads nothing.
    """
    storage = require_storage(deps)
    state = upload.state_at(datetime.now(UTC))
    if state is UploadState.READY:
        await _compare(upload, pieces, length)
        return upload
    if state is UploadState.REJECTED:
        raise MediaRejected(upload.sniffed_type)
    if state is UploadState.UPLOADING:
        raise BUSY
    if upload.size is not None and length is not None and upload.size != length:
        raise differs("size", upload.size, length)
    await _write(deps, storage, upload, pieces, upload.size if length is None else length, most)
    async with deps.database.reading() as session:
        row = await find_upload(session, upload.workspace_id, upload.id)
    if row is None:
        raise NO_UPLOAD
    return row


async def _compare(upload: Upload, pieces: AsyncIterator[bytes], length: int | None) -> None:
    """Raise Conflict unless the bytes are those of a complete upload."""
    if length not in (None, upload.size):
        raise _DIFFERENT
    digest, block, size = hashlib.sha256(), bytearray(), 0
    async for piece in pieces:
        block += piece
        size += len(piece)
        if size > (upload.size or 0):
            raise _DIFFERENT
        if len(block) >= _HASHED:
            await asyncio.to_thread(digest.update, bytes(block))
            block.clear()
    digest.update(block)
    if size != upload.size or digest.digest() != upload.sha256:
        raise _DIFFERENT


async def _write(
    deps: Dependencies,
    storage: Storage,
    upload: Upload,
    pieces: AsyncIterator[bytes],
    size: int | None,
    most: int,
) -> None:
    key = new_key()
    reserved = await _claim(deps, storage, upload, key, size, most)
    stream = FileStream(pieces, size)
    try:
        try:
            written = await _store(deps, storage, upload, key, stream, reserved)
        except TooLong as error:
            raise (quota_exceeded(reserved) if reserved < most else TOO_LARGE) from error
        state = await record_arrival(deps.database, upload.id, key, written, stream.sniffed_type)
    except MediaRejected:
        await record_arrival(deps.database, upload.id, key, Written(stream.size, None, ""), stream.sniffed_type)
        raise
    except BaseException:
        await _release(deps, upload.id, key)
        raise
    if state is None:
        await delete_unnamed(storage, key)
        raise OVER


async def _claim(deps: Dependencies, storage: Storage, upload: Upload, key: str, size: int | None, most: int) -> int:
    """Let the upload be written under a key; return how many bytes are reserved for it."""
    if (size or 0) > LARGEST_UPLOAD:
        raise TOO_LARGE
    try:
        async with deps.database.transaction() as session:
            room = await lock_quota(session, upload.workspace_id, deps.upload_quota, upload_id=upload.id)
            if room < (size or 1):
                raise quota_exceeded(room)
            reserved = min(room, most) if size is None else size
            older_key = await claim_upload(session, upload.id, key, reserved)
    except TooManyUploads as error:
        raise TOO_MANY from error
    if older_key is None:
        is_over = upload.expires_at is not None and upload.expires_at <= datetime.now(UTC)
        raise NO_ADDRESS if is_over else BUSY
    # The process that wrote under it may have died after it had stored the bytes.
    await delete_unnamed(storage, older_key)
    return reserved


async def _store(
    deps: Dependencies, storage: Storage, upload: Upload, key: str, stream: FileStream, most: int
) -> Written:
    """Write the bytes to the storage; nothing is there if this raises. Raises TooLong beyond `most` bytes."""
    async with renewed_claim(deps.database, upload.id, key, lambda: stream.stop(OVER)):
        with storage_errors():
            written = await storage.write(key, stream.checked(), most)
    if upload.sha256 is not None and written.sha256 != upload.sha256:
        await delete_unnamed(storage, key)
        raise differs("sha256", upload.sha256.hex(), (written.sha256 or b"").hex())
    return written


async def _release(deps: Dependencies, upload_id: str, key: str) -> None:
    """Let the upload begin again. Without a database its claim ends by itself."""
    try:
        async with deps.database.transaction() as session:
            await release_claim(session, upload_id, key)
    except Exception:
        log.warning("upload.not_released", upload_id=upload_id, exc_info=True)


LARGEST_FORM_FILE = 25 * 10**6
"""Bytes of a file in a form; our choice. Larger ones are sent by an address or in parts, and can be repeated."""
FRAMING = 16 * 1024
"""Bytes of a form beside its file."""
FIELD = "file"
_TOO_LARGE = PayloadTooLarge(
    Problem(
        f"A file in a form may have {LARGEST_FORM_FILE:,} bytes; send larger ones to an address of "
        "POST /v1/media/presign, or in parts",
        "payload_too_large",
    )
)
_NO_FORM = UnsupportedMediaType(
    Problem("The body must be a form, sent with Content-Type: multipart/form-data", "unsupported_media_type")
)
_NO_FILE = InvalidRequest(
    Problem(f"The form must have one file, in the field {FIELD}", "missing_required_field", FIELD)
)
_ONE_FILE = InvalidRequest(Problem("The form may have one field only", "unknown_parameter"))


@dataclass(frozen=True, slots=True)
class FormFile:
    """The file of a form. Its `pieces` are still to come."""

    filename: str
    content_type: str
    pieces: AsyncIterator[bytes]


async def read_form_file(request: HttpRequest) -> FormFile:
    """Return the file of a form as soon as its name and type have come.

    Raises PostsError; so do its pieces, if the form is not as it must be.
    """
    essence, options = parse_options_header(request.headers.get("content-type", ""))
    if essence != "multipart/form-data" or not options.get("boundary") or "content-encoding" in request.headers:
        raise _NO_FORM
    pieces = _file_pieces(request, options["boundary"])
    segment = await anext(pieces, None)
    if not isinstance(segment, MultipartSegment):
        raise _NO_FILE
    filename = (segment.filename or "").strip()
    if segment.name != FIELD or not filename or not filename.isprintable():
        raise _NO_FILE
    content_type = segment.content_type or "application/octet-stream"
    return FormFile(filename[-LONGEST_FILENAME:], content_type, _contents(pieces))


async def _contents(pieces: AsyncIterator[MultipartSegment | bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if isinstance(piece, MultipartSegment):
            raise _ONE_FILE
        yield piece


async def _file_pieces(request: HttpRequest, boundary: str) -> AsyncIterator[MultipartSegment | bytes]:
    """Yield the head of the file in a form, and then its pieces."""
    try:
        with PushMultipartParser(
            boundary, max_segment_size=LARGEST_FORM_FILE, max_segment_count=1, strict=True
        ) as parser:
            async for body in body_pieces(request):
                for event in parser.parse(body):
                    if event is not None:
                        yield event if isinstance(event, MultipartSegment) else bytes(event)
    except ParserLimitReached as error:
        raise (_TOO_LARGE if "segment size" in str(error).lower() else _ONE_FILE) from error
    except MultipartError as error:
        raise InvalidRequest(Problem(f"The form cannot be read: {error}", "invalid_request")) from error


async def upload_form(deps: Dependencies, request: HttpRequest, workspace_id: str, created_by: str) -> Upload:
    """Store the file of a form, and return its row. Raises PostsError; nothing of the file is left then."""
    require_storage(deps)
    form = await read_form_file(request)
    try:
        body = PresignBody(filename=form.filename, contentType=form.content_type)
    except ValidationError as error:
        sentence = "The file's name or its Content-Type in the form is not valid"
        raise InvalidRequest(Problem(sentence, "invalid_field_value", "file")) from error
    begun = await begin(deps, workspace_id, body, created_by)
    most = min(LARGEST_FORM_FILE, request.content_length or LARGEST_FORM_FILE)
    try:
        return await receive(deps, begun, form.pieces, None, most)
    except PostsError:
        # No one knows of the row, so no one continues it. If this is not reached, the row expires.
        async with deps.database.transaction() as session:
            if await lock_upload(session, begun.id):
                await mark_deleted(session, begun.id, datetime.now(UTC))
        raise
