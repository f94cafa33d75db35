"""The pictures of an animation and their times, and whether a picture's file is complete, without decoding any."""

from media.metadata import gif, jpeg, png, webp
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


LEAST_DELAY = 0.1
"""Seconds that browsers show a GIF's picture whose delay is given as less than 0.02."""


def timing(source: Source, content_type: str) -> tuple[int, float]:
    """Return the number of pictures and the seconds that one round takes; a still image is (1, 0)."""
    reader = {"image/gif": _gif, "image/png": _png, "image/webp": _webp}.get(content_type)
    delays = reader(source) if reader else []
    return (len(delays), sum(delays)) if len(delays) > 1 else (1, 0)


def _gif(source: Source) -> list[float]:
    delays, delay = [], 0.0
    for kind, start, _ in gif.blocks(source):
        if kind == gif.CONTROL:
            delay = int.from_bytes(source.take(start + 4, 2), "little") / 100
        elif kind == gif.IMAGE:
            delays.append(delay if delay >= 0.02 else LEAST_DELAY)
            delay = 0.0
    return delays


def _png(source: Source) -> list[float]:
    controls = [source.take(start + 8, 26) for kind, start, _ in png.chunks(source) if kind == b"fcTL"]
    return [int.from_bytes(c[20:22], "big") / (int.from_bytes(c[22:24], "big") or 100) for c in controls]


def _webp(source: Source) -> list[float]:
    frames = [source.take(start + 8, 16) for kind, start, _ in webp.chunks(source) if kind == b"ANMF"]
    return [int.from_bytes(frame[12:15], "little") / 1000 for frame in frames]
