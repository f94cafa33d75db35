"""The bodies, answers and refusals of media, and the addresses of files."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Literal, cast

from pydantic import ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from api.dependencies import Dependencies, api_base, thumbnail_url
from api.errors import PayloadTooLarge
from api.http.headers import HttpRequest
from api.posts.bodies.schemas import RequestModel, WebAddress
from api.views import THUMBNAIL_URL, HasMore, Moment, NextCursor, described, example, view
from domain.codes import UploadErrorCode
from domain.errors import Conflict, InvalidRequest, NotFound, Problem, Unavailable, Unprocessable
from domain.schedule import rfc3339
from domain.uploads import LARGEST_UPLOAD, MOST_UPLOADS, UploadState, public_url
from platforms.texts.patterns import TextPattern
from storage.base import ObjectMissing, Storage, StorageFull, StorageUnavailable
from store.models import Upload
from store.uploads.rows import UploadUses, posts_naming, read_uses
from store.uploads.thumbnails import thumbnail_tokens

NO_UPLOAD = NotFound(Problem("This workspace has no such file", "not_found"))
NO_ADDRESS = NotFound(
    Problem("There is no such address for an upload, or its time is over: ask for a new one", "not_found")
)
BUSY = Conflict(Problem("Another request is sending this file", "conflict"))
OVER = Conflict(Problem("The upload was deleted, or another request has sent the file meanwhile", "conflict"))
TOO_MANY = Unprocessable(
    Problem(f"This workspace has {MOST_UPLOADS:,} files, as many as it may have; delete some", "too_many_uploads")
)
NOT_UPLOADED = Unprocessable(Problem("The file has not been uploaded yet", "media_not_uploaded"))
EMPTY = InvalidRequest(Problem("The request has no bytes of a file", "missing_required_field"))
BROKEN_OFF = InvalidRequest(Problem("The body ended early", "invalid_request"))
TOO_LARGE = PayloadTooLarge(Problem(f"A file may have at most {LARGEST_UPLOAD:,} bytes", "payload_too_large", "size"))
NO_MEDIA_TYPE = Unprocessable(
    Problem("Files of this type are not taken: web pages, SVG and programs", "media_rejected", "contentType")
)
_NO_STORAGE = Unprocessable(
    Problem("The operator of this service has not set up a place for uploads", "uploads_not_configured")
)
_FULL = Problem("The storage of this service is full; please try again later", "unavailable")
_AWAY = Problem("The storage of this service is not available right now; please try again", "unavailable")


class MediaRejected(Unprocessable):
    """The first bytes of a file show that it is no media file, or it could not be fetched, for a `reason`."""

    def __init__(self, sniffed_type: str | None, reason: str | None = None) -> None:
        shown = f"they are {sniffed_type}" if sniffed_type else "their type is not known"
        sentence = f"The bytes are no picture, video, document or subtitles: {shown}"
        super().__init__(Problem(reason or sentence, "media_rejected"))


def differs(name: str, announced: object, actual: object) -> Unprocessable:
    """Return the refusal of a file that is not the one that was announced."""
    return Unprocessable(Problem(f"{name} is {actual}, and {announced} was announced", "upload_differs", name))


def quota_exceeded(available: int) -> Unprocessable:
    """Return the refusal of a file for which its workspace has no room."""
    sentence = f"This workspace's files have room for {available:,} bytes more; delete some first"
    return Unprocessable(Problem(sentence, "storage_quota_exceeded"))


def require_storage(deps: Dependencies) -> Storage:
    """Return the storage. Raises Unprocessable if there is none."""
    if deps.storage is None:
        raise _NO_STORAGE
    return deps.storage


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise errors of the storage as Unavailable, and NotFound for bytes that are not there."""
    try:
        yield
    except StorageFull as error:
        raise Unavailable(_FULL, retry_after=60) from error
    except ObjectMissing as error:
        raise NO_UPLOAD from error
    except StorageUnavailable as error:
        raise Unavailable(_AWAY) from error


LONGEST_FILENAME = 255
"""Characters; file systems take as many bytes."""
_ID = "med_019bc10f27c07a7d4e9a54c1d9e3f0a1"
_PUBLIC_URL = "https://posts.example.com/media/u/wJ2mQk5nUeVtB8xYc1LrPaZd9sGfH3oK/holiday.jpg"
_TYPE = r"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$"
FilenameField = Annotated[str, Field(min_length=1, max_length=LONGEST_FILENAME)]
ContentTypeField = Annotated[str, Field(max_length=127), TextPattern(_TYPE, "must be a media type such as image/jpeg")]
_FILENAME = "The file's name. Its public address ends with it, in ASCII."
_CONTENT_TYPE = "The file's type. Its first bytes decide; this one is sent with them."
_SHA256 = "The SHA-256 of the file, in hexadecimal. Other bytes are refused."
Sha256Field = Annotated[str, TextPattern("^[0-9a-fA-F]{64}$", "must be 64 hexadecimal digits")]
_SHA256_EXAMPLE = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_STATES = (
    "`pending`: its bytes have not come. `uploading`: they are coming. `fetching`: they are fetched from the address "
    "that was named, or will be. `ready`: posts can use it. `rejected`: there is no file, and `error` says why."
)
UploadStateName = Literal["pending", "uploading", "fetching", "ready", "rejected"]


class PresignBody(RequestModel):
    """A file that is to be uploaded."""

    model_config = ConfigDict(title="PresignUpload")

    filename: FilenameField = Field(description=_FILENAME, examples=["holiday.jpg"])
    content_type: ContentTypeField = Field(description=_CONTENT_TYPE, examples=["image/jpeg"])
    size: int | None = Field(None, ge=1, description="The file's bytes. Another number is refused.", examples=[412_345])
    sha256: Sha256Field | None = Field(None, description=_SHA256, examples=[_SHA256_EXAMPLE])


class MultipartBody(RequestModel):
    """A large file that is to be uploaded in parts."""

    model_config = ConfigDict(title="BeginMultipartUpload")

    filename: FilenameField = Field(description=_FILENAME, examples=["interview.mp4"])
    content_type: ContentTypeField = Field(description=_CONTENT_TYPE, examples=["video/mp4"])
    size: int = Field(ge=1, description="The file's bytes.", examples=[2_147_483_648])
    sha256: Sha256Field | None = Field(None, description=_SHA256, examples=[_SHA256_EXAMPLE])


class FetchBody(RequestModel):
    """A file that this service is to fetch."""

    model_config = ConfigDict(title="FetchUpload")

    url: WebAddress = Field(examples=["https://example.com/holiday.jpg"])
    """The address at which the file can be fetched without a login. It may hold a key."""
    filename: FilenameField | None = Field(
        None, description=f"{_FILENAME} By default, the name at the end of `url`.", examples=["holiday.jpg"]
    )


@view("PresignedUpload")
class PresignedView(TypedDict):
    """An address to which a file may be sent, and the address that the file will have."""

    uploadUrl: Annotated[
        str, example("https://posts.example.com/media/upload/n0tAr3alS3cr3tButAnExample0fOne43charact3rs")
    ]
    """Send the bytes here. The address is a secret: everybody who has it may send the file."""
    publicUrl: Annotated[str, described("The file's address, for `mediaItems` of posts.", _PUBLIC_URL)]
    id: Annotated[str, described("The file's id.", _ID)]
    method: Annotated[str, described("How to send it.", "PUT")]
    headers: Annotated[dict[str, str], example({"Content-Type": "image/jpeg"})]
    """Headers that must be sent with these values."""
    expiresIn: Annotated[int, described("Seconds in which the upload must begin.", 3600)]


@view("MediaFile")
class UploadView(TypedDict):
    """A file of the workspace."""

    id: Annotated[str, described("The file's id.", _ID)]
    publicUrl: Annotated[str, described("The file's address, for `mediaItems` of posts.", _PUBLIC_URL)]
    filename: Annotated[str, described("Its name.", "holiday.jpg")]
    state: Annotated[UploadStateName, described(_STATES, "ready")]
    contentType: Annotated[str, example("image/jpeg")]
    """The type that its bytes show; until they have come, the announced one."""
    size: Annotated[int | None, described("Its bytes, or the announced number; null if it is not known.", 412_345)]
    sha256: Annotated[str | None, described("The SHA-256 of its bytes; null if it is not known.", _SHA256_EXAMPLE)]
    usedBy: Annotated[list[str], example(["post_019bc10f27c07a7d4e9a54c1d9e3f0a1"])]
    """The posts that name it, the newest first; at most 100."""
    expiresAt: Moment | None
    """When it is deleted, if no post names it until then; null while a post or series needs it."""
    createdAt: Annotated[Moment, described("When the upload was begun.")]
    errorCode: Annotated[UploadErrorCode | None, example(None)]
    """Why there is no file, or why the last attempt to fetch it failed; null if nothing did."""
    error: Annotated[str | None, described("The same as a sentence.", None)]
    thumbnailUrl: Annotated[str | None, example(THUMBNAIL_URL)]
    """The address of a JPEG of at most 96 x 96 pixels, for a video of its first picture. Everybody who has the address
    can read it. Null until a worker has made it, some seconds after the file has come, and if it cannot be made."""


@view("MediaFileList")
class UploadListView(TypedDict):
    """One page of files."""

    media: Annotated[list[UploadView], described("The newest first.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6Im1lZF8wMTlhIn0="])]
    hasMore: Annotated[HasMore, Field(examples=[False])]


@view("MediaFileDeletion")
class DeletedUploadView(TypedDict):
    """A file that was deleted."""

    id: Annotated[str, described("The file's id.", _ID)]
    deleted: Annotated[bool, described("Always true.", True)]


@view("UploadPart")
class PartView(TypedDict):
    """A part of a file."""

    number: Annotated[int, described("Its number, from 1.", 1)]
    size: Annotated[int, described("Its bytes.", 16_777_216)]
    received: Annotated[bool, described("Whether it has come.", False)]
    uploadUrl: Annotated[
        str | None,
        example(f"https://posts.example.com/media/upload/{_ID}.1.n0tAr3alS1gnatur3ButAnExampleOfOne43Characte"),
    ]
    """Send the part here by PUT, without your API key. The address is a secret. Null if the part has come."""


@view("MultipartUpload")
class MultipartView(TypedDict):
    """A file that is uploaded in parts."""

    id: Annotated[str, described("The file's id.", _ID)]
    publicUrl: Annotated[str, described("The file's address, for `mediaItems` of posts.", _PUBLIC_URL)]
    size: Annotated[int, described("The file's bytes.", 2_147_483_648)]
    partSize: Annotated[int, described("Bytes of each part but the last.", 16_777_216)]
    parts: Annotated[list[PartView], described("All parts, in their order.")]
    expiresAt: Annotated[Moment, described("When it is given up, unless a part comes before.")]


@view("ReceivedPart")
class ReceivedPartView(TypedDict):
    """A part that has come."""

    number: Annotated[int, described("Its number.", 1)]
    size: Annotated[int, described("Its bytes.", 16_777_216)]


UPLOAD_PATH = "/media/upload/"
"""The path of addresses to which files are sent, before the secret."""


async def signing_keys(deps: Dependencies) -> Sequence[bytes]:
    """Return the keys of `signed_secret`, the one that signs first. Raises Unavailable."""
    with storage_errors():
        return await deps.readiness.signing_keys()


def signed_secret(key: bytes, upload: Upload, number: int = 0) -> str:
    """Return the secret in the address of a part, or of the whole file.

    The key is in the storage, and the row has a nonce: who reads only the database can make no address.
    """
    signed = f"{upload.id}.{number}"
    signature = hmac.digest(key, signed.encode() + b"." + upload.address_nonce, "sha256")
    return f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def upload_url(deps: Dependencies, request: HttpRequest, secret: str) -> str:
    """Return the address to which the bytes of an upload are sent."""
    return f"{api_base(deps, request)}{UPLOAD_PATH}{secret}"


def upload_public_url(deps: Dependencies, request: HttpRequest, upload: Upload) -> str:
    """Return the public address of an upload."""
    base = deps.media_url or api_base(deps, request)
    return public_url(base, upload.token, upload.filename, upload.content_type)


async def upload_views(
    deps: Dependencies, request: HttpRequest, session: AsyncSession, uploads: Sequence[Upload]
) -> list[UploadView]:
    """Return files as answers show them."""
    ids = [upload.id for upload in uploads]
    posts = await posts_naming(session, ids)
    uses = await read_uses(session, ids)
    tokens = await thumbnail_tokens(session, ids)
    now = datetime.now(UTC)

    return [
        _view(deps, request, upload, uses[upload.id], now, posts[upload.id], tokens.get(upload.id))
        for upload in uploads
    ]


def _view(
    deps: Dependencies,
    request: HttpRequest,
    upload: Upload,
    uses: UploadUses,
    now: datetime,
    posts: list[str],
    thumbnail_token: str | None,
) -> UploadView:
    state, expires_at = upload.state_at(now), _expires_at(deps, upload, uses)
    code, error = upload.error_code, upload.error
    if state is UploadState.REJECTED and code is None:
        (problem,) = MediaRejected(upload.sniffed_type).problems
        code, error = problem.code, problem.error
    is_fetched = state.is_open and upload.fetch_at is not None
    return UploadView(
        id=upload.id,
        publicUrl=upload_public_url(deps, request, upload),
        filename=upload.filename,
        state="fetching" if is_fetched else cast("UploadStateName", state.value),
        contentType=upload.sniffed_type or upload.content_type,
        size=upload.size,
        sha256=upload.sha256.hex() if upload.sha256 else None,
        usedBy=posts,
        expiresAt=rfc3339(expires_at) if expires_at else None,
        createdAt=rfc3339(upload.created_at),
        errorCode=cast("UploadErrorCode | None", code),
        error=error,
        thumbnailUrl=thumbnail_url(deps, request, thumbnail_token) if thumbnail_token else None,
    )


def _expires_at(deps: Dependencies, upload: Upload, uses: UploadUses) -> datetime | None:
    if uses.is_held:
        return None
    times = [upload.expires_at, uses.rested_at + deps.media_kept if uses.rested_at else None]
    return max((time for time in times if time), default=None)
