"""The files of a workspace: listed, looked at and deleted."""

from datetime import UTC, datetime

from api.dependencies import Dependencies
from api.http.cursors import cut_page
from api.http.headers import HttpRequest
from api.http.query import Query
from api.media.errors import NO_UPLOAD, NOT_UPLOADED, MediaRejected, require_storage, storage_errors
from api.media.parts import OpenParts
from api.media.schemas import DeletedUploadView, UploadListView, UploadView
from api.media.views import upload_views
from domain.errors import Conflict, Problem
from domain.uploads import ShownState, UploadState
from media.upload_arrivals import look_for_arrival
from store.models import Upload
from store.uploads.rows import find_upload, list_uploads, lock_upload, mark_deleted, read_uses

_IN_USE = Conflict(
    Problem(
        "A draft, a post that is not published yet or a series uses this file; change or delete that first",
        "media_in_use",
    )
)


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


async def list_page(deps: Dependencies, request: HttpRequest, workspace_id: str, query: Query) -> UploadListView:
    """Return one page of files."""
    state: ShownState | None = query["state"]
    async with deps.database.reading() as session:
        uploads = await list_uploads(
            session,
            workspace_id,
            before=query["cursor"],
            most=query["limit"] + 1,
            states=state.states if state else (),
            type_prefix=f"{query['type']}/" if query["type"] else None,
        )
        page, cursor = cut_page(uploads, query["limit"])
        shown = await upload_views(deps, request, session, page)
    return UploadListView(media=shown, cursor=cursor, hasMore=cursor is not None)
