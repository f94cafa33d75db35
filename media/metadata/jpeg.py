"""Find metadata in JPEG: application segments, comments, and whatever phones append behind the picture."""

import re
from collections.abc import Iterator

from media.metadata.exif import PREFIX, UPRIGHT, orientation, orientation_only
from media.metadata.source import BytePatch, Damaged, Source

_START_OF_SCAN, END_OF_IMAGE, _COMMENT = 0xDA, 0xD9, 0xFE
_SIDE_NOTES = range(0xE0, 0xFF)
"""Application segments, reserved ones and comments: no picture needs any but those that tell its colours."""
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xDA)}
_FILLING = 0xFF
_STRAY = 0
"""Stands for bytes between segments that belong to none; decoders skip them with a warning."""
_REAL_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]", re.DOTALL)
"""The end of the coded picture: a marker that is no stuffed byte, restart marker or filling. Lower ones are damage that
decoders skip (libjpeg, jpeg_resync_to_restart): at a segment of theirs, the rest of the picture would be cut off."""


def patches(source: Source) -> Iterator[BytePatch]:
    """Yield the patches that remove metadata; a turned picture keeps an EXIF segment with its orientation alone."""
    turned = False
    for marker, start, end in segments(source):
        if marker in _SIDE_NOTES:
            patch = _segment(start, end, marker, source.take(start + 4, end - start - 4), turned=turned)
            if patch is not None:
                turned = turned or bool(patch.new)
                yield patch
        elif marker == _STRAY:
            yield BytePatch(start, end, "stray bytes")
        elif marker == END_OF_IMAGE and end < source.size:
            # Motion photos carry a video with its own location here; multi-picture files whole JPEGs with EXIF.
            yield BytePatch(end, source.size, "appended data")


def segments(source: Source) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of every segment up to the end of the image; a scan's end is behind its data."""
    at, marker = 2, 0
    while at < source.size and marker != END_OF_IMAGE:
        first, marker = source.take(at, 2)
        if first != 0xFF or marker == _STRAY:
            marker, end = _STRAY, source.find(_REAL_MARKER, at)
            if end == source.size:
                raise Damaged("a JPEG segment is missing")
        elif marker == _FILLING:
            end = at + 1
        elif marker in _WITHOUT_LENGTH:
            end = at + 2
        else:
            end = at + 2 + int.from_bytes(source.take(at + 2, 2), "big")
            if marker == _START_OF_SCAN:
                end = source.find(_REAL_MARKER, end)
        yield marker, at, end
        at = end


def _segment(at: int, end: int, marker: int, content: bytes, *, turned: bool) -> BytePatch | None:
    if marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 14:
        return BytePatch(at + 2, end, "thumbnail", b"\0\x10" + content[:12] + b"\0\0") if len(content) > 14 else None
    if marker == 0xEE and content.startswith(b"Adobe"):
        # Says how the colours are coded.
        return None
    if marker == 0xE2 and content.startswith(b"ICC_PROFILE\0"):
        return None
    new = b""
    if marker == 0xE1 and content.startswith(PREFIX) and not turned:
        value = orientation(content[len(PREFIX) :])
        if value != UPRIGHT:
            exif = PREFIX + orientation_only(value)
            new = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    # A kept orientation must not outgrow what it replaces.
    return BytePatch(at, end, _name(marker, content), new if len(new) <= end - at else b"")


def _name(marker: int, content: bytes) -> str:
    if marker == 0xE1:
        return "EXIF" if content.startswith(PREFIX) else "XMP"
    if marker == 0xED:
        return "IPTC"
    return "comment" if marker == _COMMENT else "application data"
