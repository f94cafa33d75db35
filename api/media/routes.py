"""The endpoints under /v1/media: uploads are begun, completed, listed and deleted."""

from functools import partial

from litestar import Controller, Response

from api.auth import AUTHENTICATED, request_caller
from api.dependencies import Dependencies
from api.endpoint import Endpoint
from api.http.body import content_type
from api.http.headers import HttpRequest, idempotency_key
from api.http.operation import WITH_BODY, Json, served_operation
from api.http.parameters import KEY, page, query
from api.http.query import Query
from api.media.beginning import begin, begin_fetch, begin_once, begin_parts, sign
from api.media.parts import OpenParts, complete, delete, list_page, upload_view
from api.media.receiving import FIELD, FRAMING, LARGEST_FORM_FILE, body_pieces, upload_form
from api.media.schemas import (
    DeletedUploadView,
    FetchBody,
    MultipartBody,
    MultipartView,
    PresignBody,
    PresignedView,
    ReceivedPartView,
    UploadListView,
    UploadView,
    require_storage,
    signed_secret,
    signing_keys,
    upload_public_url,
    upload_url,
)
from api.posts.answers.rendering import respond
from api.posts.once import keyed_request
from api.views import respond_privately
from domain.uploads import UPLOAD_WITHIN, FileKind, ShownState
from storage.base import PART
from store.posts.idempotency import KeyedRequest

_BEGIN_ROOM = ("quotaExceeded", "tooManyUploads", "uploadsNotConfigured")
_BEGIN = ("missingField", *WITH_BODY, "fileTooLarge", "mediaTypeRejected", "uploadDeletedSince", *_BEGIN_ROOM)
_BYTES = ("uploadDiffers", "mediaRejected", "uploadBusy", "quotaExceeded", "uploadsNotConfigured")
_KEY: Json = {
    **KEY,
    "description": (
        "Makes a repeat safe for 24 hours: the same key with the same path and body begins no other upload, and is "
        "answered with the first one as it is now."
    ),
}


def _keyed(request: HttpRequest, workspace_id: str, body: PresignBody | MultipartBody) -> KeyedRequest | None:
    payload = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return keyed_request(workspace_id, idempotency_key(request), payload, served_operation(request).route)


class MediaEndpoints(Controller):
    """The files of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Endpoint(route="POST /v1/media/presign", answer=PresignedView, errors=_BEGIN, parameters=(_KEY,))
    async def presign_upload(
        self, request: HttpRequest, body: PresignBody, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Begin an upload.

        Answers an address to which the file is sent by PUT with the `headers` of the answer, within an hour; sending it
        needs no API key. `publicUrl` can be used in posts as soon as the file has come. With `size` and `sha256`, only
        that very file is taken.
        """
        require_storage(deps)
        keyed = _keyed(request, workspace_id, body)
        start = partial(begin, deps, workspace_id, body, request_caller(request).key_id, keyed=keyed)
        upload, is_replay = await begin_once(deps, keyed, start)
        signed = await sign(deps, upload)
        own = "" if signed else signed_secret((await signing_keys(deps))[0], upload)
        view = PresignedView(
            uploadUrl=signed.url if signed else upload_url(deps, request, own),
            publicUrl=upload_public_url(deps, request, upload),
            id=upload.id,
            method="PUT",
            headers=signed.headers if signed else {"Content-Type": upload.content_type},
            expiresIn=int(UPLOAD_WITHIN.total_seconds()),
        )
        return respond_privately(view, replayed=is_replay)

    @Endpoint(
        route="POST /v1/media",
        description=(
            f"Takes a form (multipart/form-data) with the file in the field `{FIELD}`, of at most "
            f"{LARGEST_FORM_FILE // 10**6} MB. A repeat makes another file; `DELETE` removes one that is not needed."
        ),
        errors=("fileMissing", "noForm", "formTooLarge", "tooManyUploads", *_BYTES),
        status=201,
        files={
            "multipart/form-data": {
                "type": "object",
                "properties": {FIELD: {"type": "string", "format": "binary", "description": "The file."}},
                "required": [FIELD],
            }
        },
        most_bytes=LARGEST_FORM_FILE + FRAMING,
    )
    async def upload_file(self, request: HttpRequest, workspace_id: str, deps: Dependencies) -> UploadView:
        """Upload a small file."""
        with deps.uploads.take(workspace_id):
            row = await upload_form(deps, request, workspace_id, request_caller(request).key_id)
        return await upload_view(deps, request, workspace_id, row.id)

    @Endpoint(
        route="POST /v1/media/fetch",
        answer=UploadView,
        errors=("missingField", "tooManyFetches", *_BEGIN_ROOM),
        status=202,
        parameters=(KEY,),
    )
    async def fetch_media(
        self, request: HttpRequest, body: FetchBody, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Upload a file from an address.

        A worker fetches the file from a public address, without its cookies or a login. The answer comes at once: look
        at the file until its `state` is `ready`, or `rejected` with an `error`. `publicUrl` can be used in posts from
        then on.
        """
        return respond(await begin_fetch(deps, request, workspace_id, body, request_caller(request).key_id))

    @Endpoint(
        route="GET /v1/media",
        errors=("wrongQuery",),
        parameters=(
            query("state", "Only files in this state.", {"type": "string", "enum": list(ShownState)}, "ready"),
            query("type", "Only pictures, or only videos.", {"type": "string", "enum": list(FileKind)}, "image"),
            *page("files"),
        ),
    )
    async def list_media(
        self, request: HttpRequest, query: Query, workspace_id: str, deps: Dependencies
    ) -> UploadListView:
        """List the files.

        The files of the workspace, and the uploads that it has begun.
        """
        return await list_page(deps, request, workspace_id, query)

    @Endpoint(route="GET /v1/media/{mediaId}", errors=("mediaNotFound",))
    async def get_media(self, request: HttpRequest, media_id: str, workspace_id: str, deps: Dependencies) -> UploadView:
        """Get a file.

        With the posts that name it, and when it is deleted.
        """
        return await upload_view(deps, request, workspace_id, media_id)

    @Endpoint(
        route="POST /v1/media/{mediaId}/complete",
        errors=("invalidJson", "unknownField", "mediaNotFound", "notUploaded", "mediaRejected"),
    )
    async def complete_upload(
        self, request: HttpRequest, media_id: str, workspace_id: str, deps: Dependencies
    ) -> UploadView:
        """Complete an upload.

        Looks whether the file has come. It is optional: a post that names the file also looks. A repeat is answered as
        the first.
        """
        return await complete(deps, request, workspace_id, media_id)

    @Endpoint(route="DELETE /v1/media/{mediaId}", errors=("mediaNotFound", "mediaInUse"))
    async def delete_media(self, media_id: str, workspace_id: str, deps: Dependencies) -> DeletedUploadView:
        """Delete a file.

        A file that a draft, a post to come or a series names is not deleted.
        """
        return await delete(deps, workspace_id, media_id)


class MultipartEndpoints(Controller):
    """Uploads in parts, of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Endpoint(
        route="POST /v1/media/multipart",
        answer=MultipartView,
        errors=(*_BEGIN, "multipartNotFound"),
        status=201,
        parameters=(_KEY,),
    )
    async def begin_multipart(
        self, request: HttpRequest, body: MultipartBody, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Begin an upload in parts.

        For large files and unsteady connections. Each part is sent by PUT to its `uploadUrl`, in any order, several at
        a time; one that breaks off is sent again. `complete` makes the file of them. The upload is given up two days
        after its last part.
        """
        keyed = _keyed(request, workspace_id, body)
        start = partial(begin_parts, deps, workspace_id, body, request_caller(request).key_id, keyed)
        upload, is_replay = await begin_once(deps, keyed, start)
        return respond_privately(await OpenParts(deps, upload).view(request), 201, replayed=is_replay)

    @Endpoint(route="GET /v1/media/multipart/{mediaId}", errors=("multipartNotFound",))
    async def get_multipart(self, request: HttpRequest, parts: OpenParts) -> MultipartView:
        """Get an upload in parts.

        Which parts have come, and where to send the others: an upload can be continued after anything.
        """
        return await parts.view(request)

    @Endpoint(
        route="PUT /v1/media/multipart/{mediaId}/parts/{number}",
        errors=("multipartNotFound", "uploadDiffers", "uploadBusy", "partTooLarge", "compressed"),
        files={"application/octet-stream": {"type": "string", "format": "binary"}},
        most_bytes=PART,
    )
    async def upload_part(
        self, request: HttpRequest, number: str, parts: OpenParts, workspace_id: str, deps: Dependencies
    ) -> ReceivedPartView:
        """Upload a part.

        The bytes of a part, of any Content-Type. It may be sent again until the upload is complete.
        """
        content_type(request)
        with deps.uploads.take(workspace_id):
            return await parts.receive(number, body_pieces(request), request.content_length)

    @Endpoint(
        route="POST /v1/media/multipart/{mediaId}/complete",
        errors=(
            "invalidJson",
            "unknownField",
            "mediaNotFound",
            "notUploaded",
            "mediaRejected",
            "uploadBusy",
            "uploadDiffers",
        ),
    )
    async def complete_multipart(
        self, request: HttpRequest, media_id: str, workspace_id: str, deps: Dependencies
    ) -> UploadView:
        """Complete an upload in parts.

        Makes the file of its parts. It reads the file once, a second or so for each GB; a repeat is safe.
        """
        return await complete(deps, request, workspace_id, media_id)

    @Endpoint(route="DELETE /v1/media/multipart/{mediaId}", errors=("multipartNotFound",))
    async def abort_multipart(self, parts: OpenParts, workspace_id: str, deps: Dependencies) -> DeletedUploadView:
        """Give up an upload in parts.

        Deletes the parts that have come.
        """
        return await delete(deps, workspace_id, parts.upload.id)
