"""The files of a workspace: listed, looked at and deleted."""

from datetime import UTC, datetime

from api.dependencies import Dependencies
from api.http.cursors import encode_cursor
from api.http.headers import HttpRequest
from api.http.query import convert_parameter, parse_choice, parse_limit, parse_query, read_id
from api.media.errors import NO_UPLOAD, NOT_UPLOADED, MediaRejected, require_storage, storage_errors
from api.media.parts import OpenParts
from api.media.schemas import DeletedUploadView, UploadListView, UploadView
from api.media.views import upload_views
from domain.errors import Conflict, InvalidRequest, Problem
from domain.uploads import FileKind, ShownState, UploadState
from media.upload_arrivals import look_for_arrival
from store.models import Upload
from store.uploads.rows import find_upload, list_uploads, lock_upload, mark_deleted, read_uses

_IN_USE = Conflict(
    Problem(
        "A draft, a post that is not published yet or a series uses this file; change or delete that first",
        "media_in_use",
    )
)
_DEFAULT_LIMIT = 20


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


async def list_page(deps: Dependencies, request: HttpRequest, workspace_id: str) -> UploadListView:
    """Return one page of files. Raises InvalidRequest."""
    query, query_problems = parse_query(request)
    problems: list[Problem] = []
    limit = convert_parameter(query, problems, "limit", parse_limit) or _DEFAULT_LIMIT
    before = convert_parameter(query, problems, "cursor", read_id)
    state = convert_parameter(query, problems, "state", lambda text: parse_choice(ShownState, text))
    kind = convert_parameter(query, problems, "type", lambda text: parse_choice(FileKind, text))
    if problems or query_problems:
        raise InvalidRequest([*problems, *query_problems])
    async with deps.database.reading() as session:
        uploads = await list_uploads(
            session,
            workspace_id,
            before=before,
            most=limit + 1,
            states=state.states if state else (),
            type_prefix=f"{kind}/" if kind else None,
        )
        page, has_more = uploads[:limit], len(uploads) > limit
        shown = await upload_views(deps, request, session, page)
    cursor = encode_cursor({"id": page[-1].id}) if has_more else None
    return UploadListView(media=shown, cursor=cursor, hasMore=has_more)
