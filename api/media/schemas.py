"""The bodies and answers of media."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from api.posts.bodies.schemas import RequestModel, WebAddress
from api.views import THUMBNAIL_URL, HasMore, Moment, NextCursor, described, view
from domain.codes import UploadErrorCode
from platforms.texts.patterns import TextPattern

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

    url: WebAddress = Field(
        description="The address at which the file can be fetched without a login. It may hold a key.",
        examples=["https://example.com/holiday.jpg"],
    )
    filename: FilenameField | None = Field(
        None, description=f"{_FILENAME} By default, the name at the end of `url`.", examples=["holiday.jpg"]
    )


@view("PresignedUpload")
class PresignedView(TypedDict):
    """An address to which a file may be sent, and the address that the file will have."""

    uploadUrl: Annotated[
        str,
        described(
            "Send the bytes here. The address is a secret: everybody who has it may send the file.",
            "https://posts.example.com/media/upload/n0tAr3alS3cr3tButAnExample0fOne43charact3rs",
        ),
    ]
    publicUrl: Annotated[str, described("The file's address, for `mediaItems` of posts.", _PUBLIC_URL)]
    id: Annotated[str, described("The file's id.", _ID)]
    method: Annotated[str, described("How to send it.", "PUT")]
    headers: Annotated[
        dict[str, str], described("Headers that must be sent with these values.", {"Content-Type": "image/jpeg"})
    ]
    expiresIn: Annotated[int, described("Seconds in which the upload must begin.", 3600)]


@view("MediaFile")
class UploadView(TypedDict):
    """A file of the workspace."""

    id: Annotated[str, described("The file's id.", _ID)]
    publicUrl: Annotated[str, described("The file's address, for `mediaItems` of posts.", _PUBLIC_URL)]
    filename: Annotated[str, described("Its name.", "holiday.jpg")]
    state: Annotated[UploadStateName, described(_STATES, "ready")]
    contentType: Annotated[
        str, described("The type that its bytes show; until they have come, the announced one.", "image/jpeg")
    ]
    size: Annotated[int | None, described("Its bytes, or the announced number; null if it is not known.", 412_345)]
    sha256: Annotated[str | None, described("The SHA-256 of its bytes; null if it is not known.", _SHA256_EXAMPLE)]
    usedBy: Annotated[
        list[str],
        described("The posts that name it, the newest first; at most 100.", ["post_019bc10f27c07a7d4e9a54c1d9e3f0a1"]),
    ]
    expiresAt: Annotated[
        Moment | None,
        described("When it is deleted, if no post names it until then; null while a post or series needs it."),
    ]
    createdAt: Annotated[Moment, described("When the upload was begun.")]
    errorCode: Annotated[
        UploadErrorCode | None,
        described("Why there is no file, or why the last attempt to fetch it failed; null if nothing did.", None),
    ]
    error: Annotated[str | None, described("The same as a sentence.", None)]
    thumbnailUrl: Annotated[
        str | None,
        described(
            "The address of a JPEG of at most 96 x 96 pixels, for a video of its first picture. Everybody who has the "
            "address can read it. Null until a worker has made it, some seconds after the file has come, and if it "
            "cannot be made.",
            THUMBNAIL_URL,
        ),
    ]


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
        described(
            "Send the part here by PUT, without your API key. The address is a secret. Null if the part has come.",
            f"https://posts.example.com/media/upload/{_ID}.1.n0tAr3alS1gnatur3ButAnExampleOfOne43Characte",
        ),
    ]


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
