"""A check that a picture's file is complete: its header, which has its size, does not show a missing end."""

from media.metadata import jpeg, png
from media.metadata.source import Source
from media.spool import Spool

_END = {"image/jpeg": b"\xff\xd9", "image/png": b"IEND\xaeB`\x82"}


def has_end(spool: Spool, content_type: str) -> bool:
    """Return false for a JPEG or PNG that is cut off; of other types their headers tell. Raises Damaged."""
    end = _END.get(content_type, b"")
    if spool.read_at(max(spool.size - len(end), 0), len(end)) == end:
        return True
    # More may stand behind the picture, as in moving photos.
    if content_type == "image/jpeg":
        return any(marker == jpeg.END_OF_IMAGE for marker, _, _ in jpeg.segments(Source(spool)))
    return any(kind == b"IEND" for kind, _, _ in png.chunks(Source(spool)))
