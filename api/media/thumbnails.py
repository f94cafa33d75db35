"""Serve thumbnails of uploads to browsers, which send no API key for pictures; tokens cannot be guessed."""

from functools import partial

from litestar import Controller, Response, get
from litestar.params import FromPath

from api.dependencies import Deps
from api.http.etags import respond_tagged
from api.http.headers import HttpRequest
from api.posts.addresses import THUMBNAIL_PATH
from domain.errors import NotFound, Problem
from store.uploads.thumbnails import find_thumbnail

_MISSING = NotFound(Problem("There is no such file", "not_found"))
_HEADERS = {
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
        return respond_tagged(request, thumbnail.content, "image/jpeg", _HEADERS)
