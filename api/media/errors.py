"""The refusals of uploads."""

from collections.abc import Iterator
from contextlib import contextmanager

from api.dependencies import Dependencies
from api.errors import PayloadTooLarge
from domain.errors import Conflict, InvalidRequest, NotFound, Problem, Unavailable, Unprocessable
from domain.uploads import LARGEST_UPLOAD, MOST_UPLOADS
from storage.base import ObjectMissing, Storage, StorageFull, StorageUnavailable

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
