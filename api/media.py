"""Serve converted media to the platforms that fetch it. They have no API key; tokens cannot be guessed."""

from datetime import UTC, datetime

from litestar import Controller, Response, get
from litestar.params import FromPath

from api.dependencies import Deps
from domain.errors import NotFound, Problem
from store.media.files import find_file

_MISSING = Problem("There is no such file", "not_found")


class MediaEndpoints(Controller):
    """Endpoints that serve files by their tokens."""

    @get("/media/{name:str}")
    async def media_file(self, name: FromPath[str], deps: Deps) -> Response[bytes]:
        """Return a file; the ending behind its token is for platforms that derive a file's type from its address."""
        token = name.partition(".")[0]
        async with deps.database.transaction() as session:
            file = await find_file(session, token, datetime.now(UTC)) if token.isascii() and "\0" not in token else None
        if file is None:
            raise NotFound(_MISSING)
        # A stranger's picture at our own address: browsers must not interpret it as any other type.
        headers = {"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"}
        return Response(file.content, media_type=file.content_type, headers=headers)
