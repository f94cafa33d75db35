"""Serve and take uploads at addresses that need no API key; tokens and secrets cannot be guessed."""

import hmac
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import cast

from litestar import Controller, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream

from api.dependencies import THUMBNAIL_PATH, Dependencies, Deps
from api.errors import UnsupportedMediaType
from api.http.body import content_type
from api.http.headers import HttpRequest, has_current, respond_tagged
from api.http.middleware import HEAD_ONLY
from api.http.sockets import PIECE
from api.media.parts import OpenParts
from api.media.receiving import body_pieces, receive
from api.media.schemas import (
    NO_ADDRESS,
    UPLOAD_PATH,
    require_storage,
    signed_secret,
    signing_keys,
    storage_errors,
    upload_views,
)
from api.views import respond_privately
from domain.errors import NotFound, Problem
from domain.uploads import PUBLIC_PATH, safe_name
from media.sniff import is_shown_inline
from storage.base import StorageError
from store.media import FilePiece, open_file, read_piece
from store.models import Upload
from store.uploads.rows import PublicUpload, find_by_id, find_public
from store.uploads.thumbnails import find_thumbnail

_ONE_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))[ \t]*", re.IGNORECASE | re.ASCII)


class Unsatisfiable(Exception):
    """A range that begins behind the end of the file."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a file, from `start` to before `end`."""

    start: int
    end: int


def parse_range(request: HttpRequest, tag: str, size: int) -> ByteRange | None:
    """Return the part of a file that a request asks for; None for the whole. Raises Unsatisfiable.

    Several ranges, and what cannot be read, mean the whole file, as RFC 9110 allows. So does an `If-Range` that names
    anything but `tag`, the file's own.
    """
    match = _ONE_RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or request.headers.get("if-range", tag).strip() != tag:
        return None
    first, last, suffix = match.groups()
    if first is None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise Unsatisfiable
    return ByteRange(start, end)


_MISSING = NotFound(Problem("There is no such file", "not_found"))


class ConvertedFileEndpoints(Controller):
    """Endpoints that serve files by their tokens."""

    @get("/media/{name:str}")
    async def media_file(self, request: HttpRequest, name: FromPath[str], deps: Deps) -> Stream | Response[bytes]:
        """Return a file; the ending behind its token is for platforms that derive a file's type from its address.

        It is always the whole file, whatever part the request asks for (RFC 9110, 14.2).
        """
        if (text := deps.verification_files.get(name)) is not None:
            return Response(text.encode(), media_type="text/plain", headers={"X-Content-Type-Options": "nosniff"})
        token = name.partition(".")[0]
        look_up = partial(open_file, deps.database, token, datetime.now(UTC), PIECE)
        file = await deps.strangers.find(token, look_up) if token.isascii() and "\0" not in token else None
        if file is None:
            raise _MISSING
        request.state.unread_of = f"files of {file.workspace_id}"
        headers = {
            "Cache-Control": "private, max-age=86400",
            "Content-Length": str(file.size),
            # A stranger's picture at our own address: browsers must not interpret it as any other type.
            "X-Content-Type-Options": "nosniff",
        }
        content = iter(()) if request.scope.get(HEAD_ONLY) else _pieces(deps, token, file)
        return Stream(content, media_type=file.content_type, headers=headers)


async def _pieces(deps: Dependencies, token: str, file: FilePiece) -> AsyncIterator[bytes]:
    """Yield a file's content. It ends early, which closes the connection, if the file is deleted meanwhile."""
    yield file.content
    for start in range(len(file.content), file.size, PIECE):
        async with deps.strangers.turn():
            piece = await read_piece(deps.database, token, start, PIECE)
        if piece is None:
            return
        yield piece


_THUMBNAIL_HEADERS = {
    # A picture never changes. A deleted file's is gone from all caches after a day, as the file is.
    "Cache-Control": "public, max-age=86400, immutable",
    # Made from a stranger's file, and served at our own address: browsers must not interpret it as any other type.
    "Content-Security-Policy": "sandbox",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


class ThumbnailEndpoints(Controller):
    """Endpoints that serve thumbnails by their tokens."""

    @get(f"{THUMBNAIL_PATH}{{name:str}}")
    async def thumbnail(self, request: HttpRequest, name: FromPath[str], deps: Deps) -> Response[bytes]:
        """Return a thumbnail; the ending behind its token is for programs that derive types from addresses."""
        token = name.partition(".")[0]
        if not token.isascii() or not token.isprintable():
            raise _MISSING
        thumbnail = await deps.strangers.find(token, partial(find_thumbnail, deps.database, token))
        if thumbnail is None:
            raise _MISSING
        request.state.unread_of = f"files of {thumbnail.workspace_id}"
        return respond_tagged(request, thumbnail.content, "image/jpeg", _THUMBNAIL_HEADERS)


_TOKEN_LENGTH = 32


class PublicUploadEndpoints(Controller):
    """Endpoints that serve uploads by their tokens."""

    @get(f"{PUBLIC_PATH}{{token:str}}/{{name:str}}")
    async def upload(
        self, request: HttpRequest, token: FromPath[str], name: FromPath[str], deps: Deps
    ) -> Response[bytes] | Stream:
        """Return a file, or the part of it that is asked for. The name is for platforms and people; any will do."""
        file = await _find_file(deps, token)
        request.state.unread_of = f"files of {file.workspace_id}"
        tag = _tag(file)
        headers = _headers(file, tag)
        if has_current(request, tag):
            return Response(b"", status_code=304, headers=headers)
        try:
            part = parse_range(request, tag, file.size)
        except Unsatisfiable:
            return Response(b"", status_code=416, headers={**headers, "Content-Range": f"bytes */{file.size}"})
        served = part or ByteRange(0, file.size)
        headers["Content-Length"] = str(served.end - served.start)
        if part is not None:
            headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{file.size}"
        status = 200 if part is None else 206
        if request.scope.get(HEAD_ONLY):
            return Stream(iter(()), media_type=file.content_type, headers=headers, status_code=status)
        pieces = await _begin(deps, file, served)
        return Stream(pieces, media_type=file.content_type, headers=headers, status_code=status)


async def _find_file(deps: Dependencies, token: str) -> PublicUpload:
    if len(token) != _TOKEN_LENGTH or not token.isascii() or not token.isprintable():
        raise _MISSING
    file = await deps.strangers.find(token, partial(find_public, deps.database, token))
    # Only tokens that do not exist are remembered as absent: a file is served as soon as it has come.
    if file is None or not file.is_ready:
        raise _MISSING
    return file


def _tag(file: PublicUpload) -> str:
    """Return the entity tag: the file's SHA-256, or the storage's own if the bytes did not come through this API."""
    name = file.sha256.hex() if file.sha256 else file.etag.strip('"')
    return f'"{name}"'


def _headers(file: PublicUpload, tag: str) -> dict[str, str]:
    name = safe_name(file.filename, file.content_type)
    shown = "inline" if is_shown_inline(file.content_type) else "attachment"
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": "public, max-age=86400",
        "Content-Disposition": f'{shown}; filename="{name}"',
        # A stranger's file at our own address: browsers must not run it, or interpret it as any other type.
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "ETag": tag,
    }


async def _begin(deps: Dependencies, file: PublicUpload, part: ByteRange) -> AsyncIterator[bytes]:
    """Return the pieces of a file once the first has been read, so that a missing file is a 404. Raises PostsError."""
    pieces = cast("AsyncGenerator[bytes]", require_storage(deps).read(file.key, part.start, part.end, file.etag))
    with storage_errors():
        first = await anext(pieces, b"")

    async def continued() -> AsyncIterator[bytes]:
        """Yield the content. It ends early, which closes the connection, if the file cannot be read any more."""
        async with aclosing(pieces):
            yield first
            with suppress(StorageError):
                async for piece in pieces:
                    yield piece

    return continued()


_LONGEST_SECRET = 128


class UploadingEndpoints(Controller):
    """The endpoint of uploads in one piece, and of parts."""

    @HTTPRouteHandler(f"{UPLOAD_PATH}{{secret:str}}", http_method=["PUT"], status_code=200, request_max_body_size=None)
    async def upload(self, request: HttpRequest, secret: FromPath[str], deps: Deps) -> Response[bytes]:
        """Store the bytes of a file, or of a part of one."""
        await deps.restoring.require_finished()
        upload, number = await _find_upload(deps, secret)
        request.state.unread_of = f"files of {upload.workspace_id}"
        if number:
            parts = OpenParts(deps, upload)
            with deps.uploads.take(upload.workspace_id):
                part = await parts.receive(str(number), body_pieces(request), request.content_length)
            return respond_privately(part)
        _check_type(request, upload)
        with deps.uploads.take(upload.workspace_id):
            row = await receive(deps, upload, body_pieces(request), request.content_length)
        async with deps.database.reading() as session:
            (shown,) = await upload_views(deps, request, session, [row])
        return respond_privately(shown)


async def _find_upload(deps: Dependencies, secret: str) -> tuple[Upload, int]:
    """Return an upload and the number of its part that an address takes, 0 for the whole file. Raises NotFound."""
    upload_id, _, signed = secret.partition(".")
    text = signed.partition(".")[0][:6]
    number = int(text) if text.isdecimal() else 0

    async def look_up() -> Upload | None:
        async with deps.database.reading() as session:
            return await find_by_id(session, upload_id)

    if len(secret) > _LONGEST_SECRET or not (secret.isascii() and secret.isprintable()):
        raise NO_ADDRESS
    upload = await deps.strangers.find(secret, look_up)
    if upload is None or (upload.part_size is not None) is not (number > 0):
        raise NO_ADDRESS
    # Addresses that an earlier key has signed hold until their uploads end.
    if not any(hmac.compare_digest(signed_secret(key, upload, number), secret) for key in await signing_keys(deps)):
        raise NO_ADDRESS
    return upload, number


def _check_type(request: HttpRequest, upload: Upload) -> None:
    """Raise UnsupportedMediaType unless the bytes come with the type for which the address was made."""
    kind = content_type(request)
    if kind != upload.content_type:
        sentence = (
            f"This address takes {upload.content_type}, and the request's Content-Type is {kind or 'missing'}: send "
            "the headers that came with the address"
        )
        raise UnsupportedMediaType(Problem(sentence, "unsupported_media_type"))
