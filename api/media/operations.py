"""The operations on media, as the API routes them and its document describes them."""

from api.http.operation import WITH_BODY, Operation
from api.http.parameters import KEY, page, query
from api.media.forms import FIELD, FRAMING, LARGEST_FORM_FILE
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
)
from domain.uploads import FileKind, ShownState
from storage.parts import PART

_BEGIN_ROOM = ("quotaExceeded", "tooManyUploads", "uploadsNotConfigured")
_BEGIN = ("missingField", *WITH_BODY, "fileTooLarge", *_BEGIN_ROOM)
_BYTES = ("uploadDiffers", "mediaRejected", "uploadBusy", "quotaExceeded", "uploadsNotConfigured")

PRESIGN_UPLOAD = Operation(
    route="POST /v1/media/presign",
    description=(
        "Answers an address to which the file is sent by PUT with the `headers` of the answer, within an hour; "
        "sending it needs no API key. `publicUrl` can be used in posts as soon as the file has come. With `size` and "
        "`sha256`, only that very file is taken."
    ),
    answer=PresignedView,
    errors=_BEGIN,
    body=PresignBody,
)
UPLOAD_FILE = Operation(
    route="POST /v1/media",
    description=(
        f"Takes a form (multipart/form-data) with the file in the field `{FIELD}`, of at most "
        f"{LARGEST_FORM_FILE // 10**6} MB. A repeat makes another file; `DELETE` removes one that is not needed."
    ),
    answer=UploadView,
    errors=("unknownQuery", "fileMissing", "noForm", "formTooLarge", "tooManyUploads", *_BYTES),
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
FETCH_MEDIA = Operation(
    route="POST /v1/media/fetch",
    description=(
        "A worker fetches the file from a public address, without its cookies or a login. The answer comes at once: "
        "look at the file until its `state` is `ready`, or `rejected` with an `error`. `publicUrl` can be used in "
        "posts from then on."
    ),
    answer=UploadView,
    errors=("missingField", *WITH_BODY, "keyReused", "tooManyFetches", *_BEGIN_ROOM),
    status=202,
    body=FetchBody,
    parameters=(KEY,),
)
LIST_MEDIA = Operation(
    route="GET /v1/media",
    description="The files of the workspace, and the uploads that it has begun.",
    answer=UploadListView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=(
        query("state", "Only files in this state.", {"type": "string", "enum": list(ShownState)}, "ready"),
        query("type", "Only pictures, or only videos.", {"type": "string", "enum": list(FileKind)}, "image"),
        *page("files"),
    ),
)
GET_MEDIA = Operation(
    route="GET /v1/media/{mediaId}",
    description="With the posts that name it, and when it is deleted.",
    answer=UploadView,
    errors=("unknownQuery", "mediaNotFound"),
)
COMPLETE_UPLOAD = Operation(
    route="POST /v1/media/{mediaId}/complete",
    description=(
        "Looks whether the file has come. It is optional: a post that names the file looks, too. A repeat is answered "
        "as the first."
    ),
    answer=UploadView,
    errors=("invalidJson", "unknownField", "mediaNotFound", "notUploaded", "mediaRejected"),
)
DELETE_MEDIA = Operation(
    route="DELETE /v1/media/{mediaId}",
    description="A file that a draft, a post to come or a series names is not deleted.",
    answer=DeletedUploadView,
    errors=("unknownQuery", "mediaNotFound", "mediaInUse"),
)
BEGIN_MULTIPART = Operation(
    route="POST /v1/media/multipart",
    description=(
        "For large files and unsteady connections. Each part is sent by PUT to its `uploadUrl`, in any order, several "
        "at a time; one that breaks off is sent again. `complete` makes the file of them. The upload is given up two "
        "days after its last part."
    ),
    answer=MultipartView,
    errors=_BEGIN,
    status=201,
    body=MultipartBody,
)
GET_MULTIPART = Operation(
    route="GET /v1/media/multipart/{mediaId}",
    description="Which parts have come, and where to send the others: an upload can be continued after anything.",
    answer=MultipartView,
    errors=("unknownQuery", "multipartNotFound"),
)
UPLOAD_PART = Operation(
    route="PUT /v1/media/multipart/{mediaId}/parts/{number}",
    description="The bytes of a part, of any Content-Type. It may be sent again until the upload is complete.",
    answer=ReceivedPartView,
    errors=("unknownQuery", "multipartNotFound", "uploadDiffers", "uploadBusy", "partTooLarge", "compressed"),
    files={"application/octet-stream": {"type": "string", "format": "binary"}},
    most_bytes=PART,
)
COMPLETE_MULTIPART = Operation(
    route="POST /v1/media/multipart/{mediaId}/complete",
    description="Makes the file of its parts. It reads the file once, a second or so for each GB; a repeat is safe.",
    answer=UploadView,
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
ABORT_MULTIPART = Operation(
    route="DELETE /v1/media/multipart/{mediaId}",
    description="Deletes the parts that have come.",
    answer=DeletedUploadView,
    errors=("unknownQuery", "multipartNotFound"),
)
