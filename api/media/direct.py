"""Uploads of small files by one request, as `curl -F` and forms of browsers send them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header
from pydantic import ValidationError

from api.dependencies import Dependencies
from api.errors import PayloadTooLarge, UnsupportedMediaType
from api.http.headers import HttpRequest
from api.media.beginning import begin
from api.media.errors import require_storage
from api.media.receiving import body_pieces, receive
from api.media.schemas import LONGEST_FILENAME, PresignBody
from domain.errors import InvalidRequest, PostsError, Problem
from store.models import Upload
from store.uploads.rows import lock_upload, mark_deleted

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
