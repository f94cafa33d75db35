"""The endpoints under /v1/media: uploads are begun, completed, listed and deleted."""

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_caller
from api.dependencies import Deps
from api.http.body import content_type
from api.http.headers import HttpRequest
from api.http.operation import serves
from api.http.query import read_query
from api.http.request import read_bare_request, read_body
from api.media import operations
from api.media.beginning import begin, begin_parts, sign
from api.media.direct import upload_form
from api.media.errors import require_storage
from api.media.fetching import begin_fetch
from api.media.library import complete, delete, list_page, upload_view
from api.media.parts import OpenParts
from api.media.schemas import FetchBody, MultipartBody, PresignBody, PresignedView
from api.media.stream import body_pieces
from api.media.urls import upload_public_url, upload_url
from api.posts.answers.response import respond, respond_privately
from domain.uploads import UPLOAD_WITHIN

UploadId = FromPath[str]


class MediaEndpoints(Controller):
    """The files of the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(operations.PRESIGN_UPLOAD)
    async def presign_upload(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Begin an upload."""
        require_storage(deps)
        body = await read_body(request, PresignBody)
        begun = await begin(deps, workspace_id, body, request_caller(request).key_id)
        signed = await sign(deps, begun)
        view = PresignedView(
            uploadUrl=signed.url if signed else upload_url(deps, request, begun.secret),
            publicUrl=upload_public_url(deps, request, begun.row),
            id=begun.row.id,
            method="PUT",
            headers=signed.headers if signed else {"Content-Type": begun.row.content_type},
            expiresIn=int(UPLOAD_WITHIN.total_seconds()),
        )
        return respond_privately(view)

    @serves(operations.UPLOAD_FILE)
    async def upload_file(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Upload a small file."""
        read_query(request)
        with deps.uploads.take(workspace_id):
            row = await upload_form(deps, request, workspace_id, request_caller(request).key_id)
        return respond_privately(await upload_view(deps, request, workspace_id, row.id), 201)

    @serves(operations.FETCH_MEDIA)
    async def fetch_media(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Upload a file from an address."""
        body = await read_body(request, FetchBody)
        return respond(await begin_fetch(deps, request, workspace_id, body, request_caller(request).key_id))

    @serves(operations.LIST_MEDIA)
    async def list_media(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List the files."""
        return respond_privately(await list_page(deps, request, workspace_id))

    @serves(operations.GET_MEDIA)
    async def get_media(
        self, request: HttpRequest, media_id: UploadId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Get a file."""
        read_query(request)
        return respond_privately(await upload_view(deps, request, workspace_id, media_id))

    @serves(operations.COMPLETE_UPLOAD)
    async def complete_upload(
        self, request: HttpRequest, media_id: UploadId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Complete an upload."""
        await read_bare_request(request)
        return respond_privately(await complete(deps, request, workspace_id, media_id))

    @serves(operations.DELETE_MEDIA)
    async def delete_media(
        self, request: HttpRequest, media_id: UploadId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Delete a file."""
        read_query(request)
        return respond_privately(await delete(deps, workspace_id, media_id))


class MultipartEndpoints(Controller):
    """Uploads in parts, of the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(operations.BEGIN_MULTIPART)
    async def begin_multipart(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Begin an upload in parts."""
        body = await read_body(request, MultipartBody)
        begun = await begin_parts(deps, workspace_id, body, request_caller(request).key_id)
        return respond_privately(await OpenParts(deps, begun.row).view(request), 201)

    @serves(operations.GET_MULTIPART)
    async def get_multipart(
        self, request: HttpRequest, media_id: UploadId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Get an upload in parts."""
        read_query(request)
        parts = await OpenParts.find(deps, workspace_id, media_id)
        return respond_privately(await parts.view(request))

    @serves(operations.UPLOAD_PART)
    async def upload_part(
        self,
        request: HttpRequest,
        media_id: UploadId,
        number: FromPath[str],
        workspace_id: WorkspaceId,
        deps: Deps,
    ) -> Response[bytes]:
        """Upload a part."""
        read_query(request)
        content_type(request)
        parts = await OpenParts.find(deps, workspace_id, media_id)
        with deps.uploads.take(workspace_id):
            return respond_privately(await parts.receive(number, body_pieces(request), request.content_length))

    @serves(operations.COMPLETE_MULTIPART)
    async def complete_multipart(
        self, request: HttpRequest, media_id: UploadId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Complete an upload in parts."""
        await read_bare_request(request)
        return respond_privately(await complete(deps, request, workspace_id, media_id))

    @serves(operations.ABORT_MULTIPART)
    async def abort_multipart(
        self, request: HttpRequest, media_id: UploadId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Give up an upload in parts."""
        read_query(request)
        parts = await OpenParts.find(deps, workspace_id, media_id)
        return respond_privately(await delete(deps, workspace_id, parts.upload.id))
