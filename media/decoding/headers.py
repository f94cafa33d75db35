"""Measure JPEG, PNG and WebP images by their headers: most pictures need no decoder, and no process for one."""

from media.decoding.facts import MAX_PIXELS, MediaFacts, TooManyPixels
from media.metadata import jpeg, png, webp
from media.metadata.animation import has_end, timing
from media.metadata.exif import ON_ITS_SIDE, PREFIX, UPRIGHT, as_displayed, orientation
from media.metadata.source import Source
from media.spool import Spool

_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""JPEG markers behind which a picture's size stands."""
_APP1 = 0xE1

CodedPicture = tuple[int, int, int]
"""A picture as its file has it: width, height, and orientation as EXIF counts."""


def facts_by_headers(spool: Spool, content_type: str) -> MediaFacts | None:
    """Return the facts in the headers, None if they need a decoder. Raises Damaged, TooManyPixels."""
    reader = {"image/jpeg": _jpeg, "image/png": _png, "image/webp": _webp}.get(content_type)
    picture = reader(Source(spool)) if reader else None
    if picture is None or not picture[0] or not picture[1]:
        return None
    if picture[0] * picture[1] > MAX_PIXELS:
        raise TooManyPixels(MAX_PIXELS)
    if not has_end(spool, content_type):
        return None
    return picture_facts(spool, content_type, picture, *timing(Source(spool), content_type))


def picture_facts(spool: Spool, content_type: str, coded: CodedPicture, frames: int, seconds: float) -> MediaFacts:
    """Return the facts of an image as it is displayed."""
    width, height = as_displayed(*coded)
    return MediaFacts(
        content_type=content_type,
        size=spool.size,
        width=width,
        height=height,
        frames=frames,
        duration=seconds or None,
        fps=frames / seconds if seconds else None,
        is_on_its_side=coded[2] in ON_ITS_SIDE,
    )


def _jpeg(source: Source) -> CodedPicture | None:
    turned = UPRIGHT
    for marker, start, end in jpeg.segments(source):
        if marker in _FRAME_HEADERS:
            header = source.take(start + 5, 4)
            return int.from_bytes(header[2:], "big"), int.from_bytes(header[:2], "big"), turned
        if marker == _APP1 and turned == UPRIGHT:
            content = source.upto(start + 4, end - start - 4)
            turned = orientation(content[len(PREFIX) :]) if content.startswith(PREFIX) else turned
    return None


def _png(source: Source) -> CodedPicture | None:
    if source.upto(12, 4) != b"IHDR":
        return None
    header, turned = source.take(16, 8), UPRIGHT
    for kind, start, end in png.chunks(source):
        if kind == b"eXIf":
            turned = orientation(source.upto(start + 8, end - start - 12))
    return int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big"), turned


def _webp(source: Source) -> CodedPicture | None:
    sides: tuple[int, int] | None = None
    turned = UPRIGHT
    for kind, start, end in webp.chunks(source):
        if kind == b"EXIF":
            turned = orientation(source.upto(start + 8, end - start - 8).removeprefix(PREFIX))
        elif sides is None:
            sides = _webp_sides(source, kind, start + 8)
    return (*sides, turned) if sides else None


def _webp_sides(source: Source, kind: bytes, at: int) -> tuple[int, int] | None:
    if kind == b"VP8X":
        header = source.take(at, 10)
        width, height = (int.from_bytes(header[start : start + 3], "little") + 1 for start in (4, 7))
        return width, height
    if kind == b"VP8 ":
        header = source.take(at + 6, 4)
        return int.from_bytes(header[:2], "little") & 0x3FFF, int.from_bytes(header[2:], "little") & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(source.take(at + 1, 4), "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None
