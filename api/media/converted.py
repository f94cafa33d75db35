"""Serve converted media, and files of verification, to platforms. They have no API key; tokens cannot be guessed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

from litestar import Controller, Response, get
from litestar.params import FromPath
from litestar.response import Stream

from api.dependencies import Dependencies, Deps
from api.http.headers import HttpRequest
from api.http.middleware import HEAD_ONLY
from api.http.unread import PIECE
from domain.errors import NotFound, Problem
from store.media import FilePiece, open_file, read_piece

_MISSING = Problem("There is no such file", "not_found")


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
            raise NotFound(_MISSING)
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
