"""Serve uploads at their public addresses. Platforms that fetch them have no API key; tokens cannot be guessed."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from functools import partial
from typing import cast

from litestar import Controller, Response, get
from litestar.params import FromPath
from litestar.response import Stream

from api.dependencies import Dependencies, Deps
from api.http.etags import has_current
from api.http.headers import HttpRequest
from api.http.middleware import HEAD_ONLY
from api.media.errors import require_storage, storage_errors
from api.media.ranges import ByteRange, Unsatisfiable, parse_range
from domain.errors import NotFound, Problem
from domain.uploads import PUBLIC_PATH, safe_name
from media.upload_types import is_shown_inline
from storage.errors import StorageError
from store.uploads.rows import PublicUpload, find_public

_MISSING = NotFound(Problem("There is no such file", "not_found"))
_TOKEN_LENGTH = 32


class PublicUploadEndpoints(Controller):
    """Endpoints that serve uploads by their tokens."""

    @get(f"{PUBLIC_PATH}{{token:str}}/{{name:str}}")
    async def upload(
        self, request: HttpRequest, token: FromPath[str], name: FromPath[str], deps: Deps
    ) -> Response[bytes] | Stream:
        """Return a file, or the part of it that is asked for. The name is for platforms and people; any will do."""
        file = await _find(deps, token)
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


async def _find(deps: Dependencies, token: str) -> PublicUpload:
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
