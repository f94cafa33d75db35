"""Uploads of small files by one request, as `curl -F` and forms of browsers send them."""

from datetime import UTC, datetime

from pydantic import ValidationError

from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.media.beginning import begin
from api.media.errors import require_storage
from api.media.forms import LARGEST_FORM_FILE, read_form_file
from api.media.receiving import receive
from api.media.schemas import PresignBody
from domain.errors import InvalidRequest, PostsError, Problem
from store.models import Upload
from store.uploads.rows import lock_upload, mark_deleted


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
