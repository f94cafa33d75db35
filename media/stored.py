"""Media files as they are fetched, on our disk, and as platforms and decoders see them."""

from dataclasses import dataclass, field

from media.spool import Spool
from platforms.files import MediaFile


@dataclass(frozen=True, slots=True)
class AnyFile:
    """A file of any type that may be uploaded, by its URL, which may hold a key. Its type shows in its first bytes."""

    url: str = field(repr=False)
    type: None = None


@dataclass(frozen=True, slots=True)
class StoredFile(MediaFile):
    """A media file on our disk that can be examined and changed."""

    spool: Spool


def stored(spool: Spool, content_type: str) -> StoredFile:
    """Return what a spool holds as a media file."""
    return StoredFile(content_type=content_type, size=spool.size, chunks=spool.chunks, spool=spool)
