"""A media file on our disk, as platforms and decoders see it."""

from dataclasses import dataclass

from media.spool import Spool
from platforms.files import MediaFile


@dataclass(frozen=True, slots=True)
class StoredFile(MediaFile):
    """A media file on our disk that can be examined and changed."""

    spool: Spool


def stored(spool: Spool, content_type: str) -> StoredFile:
    """Return what a spool holds as a media file."""
    return StoredFile(content_type=content_type, size=spool.size, chunks=spool.chunks, spool=spool)
