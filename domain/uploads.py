"""Uploads: files that clients send to this service, and the states of their rows."""

from datetime import timedelta
from enum import StrEnum

LARGEST_UPLOAD = 5 * 10**9
"""Bytes of a file. Source: the contract of the API's Media page, "up to 5 GB"."""
MOST_UPLOADS = 100_000
"""Files of a workspace, and uploads that it has begun; our choice."""
UPLOAD_QUOTA = 50 * 2**30
"""Bytes of a workspace's files, unless the operator sets another number."""
UPLOAD_WITHIN = timedelta(hours=1)
"""How long an address for an upload is valid, and how long after an upload that broke off."""
PARTS_WITHIN = timedelta(days=2)
"""How long after its last part an upload in parts can be continued."""
UNUSED_FOR = timedelta(days=7)
"""How long a file is kept that no post names."""
MEDIA_KEPT = timedelta(days=30)
"""How long a file is kept after its last post can be retried no more, unless the operator sets another number."""
CLAIMED_FOR = timedelta(seconds=60)
"""How long a process writes a file without renewing its claim; after that, another one may."""

MOST_WAITING_FETCHES = 100
"""Uploads of a workspace that workers are still to fetch; our choice."""
FETCHES_OF_WORKSPACE = 3
"""Those of them that are fetched at a time, by all workers together; our choice."""
FETCH_AGAIN_AFTER = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900, 3600))
"""How long after each failure that may pass an upload is fetched again; then it is given up. Our choice."""

THUMBNAIL_AGAIN_AFTER = tuple(timedelta(minutes=minutes) for minutes in (2, 10, 60))
"""How long after the beginning of each attempt a thumbnail is made again that is not there; then it is given up."""


class UploadState(StrEnum):
    """The state of an upload's row. UPLOADING means PENDING once the claim of the process that writes has ended."""

    PENDING = "pending"
    """Its bytes have not come yet."""
    UPLOADING = "uploading"
    """A process writes its bytes."""
    READY = "ready"
    REJECTED = "rejected"
    """Its bytes are no picture, video or subtitles. They are not kept."""
    DELETED = "deleted"
    """A worker deletes the file, and then the row."""

    @property
    def is_open(self) -> bool:
        """Return whether its bytes may still come."""
        return self in (UploadState.PENDING, UploadState.UPLOADING)


class ShownState(StrEnum):
    """The states by which lists are filtered: whether bytes are coming at this moment makes no difference."""

    PENDING = "pending"
    READY = "ready"
    REJECTED = "rejected"

    @property
    def states(self) -> frozenset[UploadState]:
        """Return the states of rows that it stands for."""
        if self is ShownState.PENDING:
            return frozenset({UploadState.PENDING, UploadState.UPLOADING})
        return frozenset({UploadState(self.value)})


class FileKind(StrEnum):
    """The kinds of files by which lists are filtered: the first words of their types."""

    IMAGE = "image"
    VIDEO = "video"
