"""The addresses to which files are sent. A client that has one needs no API key."""

import hmac

from litestar import Controller, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from api.dependencies import Dependencies, Deps
from api.errors import UnsupportedMediaType
from api.http.body import content_type
from api.http.headers import HttpRequest
from api.media.errors import NO_ADDRESS
from api.media.parts import OpenParts
from api.media.receiving import body_pieces, receive
from api.media.views import UPLOAD_PATH, signed_secret, signing_keys, upload_views
from api.views import respond_privately
from domain.errors import Problem
from store.models import Upload
from store.uploads.rows import find_by_id

_LONGEST_SECRET = 128


class UploadingEndpoints(Controller):
    """The endpoint of uploads in one piece, and of parts."""

    @HTTPRouteHandler(f"{UPLOAD_PATH}{{secret:str}}", http_method=["PUT"], status_code=200, request_max_body_size=None)
    async def upload(self, request: HttpRequest, secret: FromPath[str], deps: Deps) -> Response[bytes]:
        """Store the bytes of a file, or of a part of one."""
        await deps.restoring.require_finished()
        upload, number = await _find(deps, secret)
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


async def _find(deps: Dependencies, secret: str) -> tuple[Upload, int]:
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
