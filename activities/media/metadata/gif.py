"""Find metadata in GIF: comments, and application blocks other than looping and colour."""

from collections.abc import Iterator

from activities.media.metadata.patches import Patch
from activities.media.metadata.source import Damaged, Source

IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_PADDING = 0
"""Some encoders put a zero between blocks; decoders skip it."""
CONTROL, COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
_FIRST_PIECE, _LARGEST_PIECE = 512, 64 * 1024
"""Bytes of a picture that are read at a time; of a small one not much more than it has."""
_NEEDED = {b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012"}


def patches(source: Source) -> Iterator[Patch]:
    """Yield what to remove."""
    for kind, start, end in blocks(source):
        if kind == COMMENT:
            yield Patch(start, end, "comment")
        elif kind == _APPLICATION and (name := source.take(start + 3, 11)) not in _NEEDED:
            yield Patch(start, end, "XMP" if name.startswith(b"XMP") else "application data")
        elif kind == _TRAILER and end < source.size:
            yield Patch(end, source.size, "appended data")


def blocks(source: Source) -> Iterator[tuple[int, int, int]]:
    """Yield kind (an extension's is its label), start and end of every block up to the trailer."""
    at = 13 + _colours(source.take(10, 1)[0])
    kind = 0
    while at < source.size and kind != _TRAILER:
        kind, end = source.take(at, 1)[0], at + 1
        if kind == IMAGE:
            end = _after_blocks(source, at + 11 + _colours(source.take(at + 9, 1)[0]))
        elif kind == _EXTENSION:
            kind, end = source.take(at + 1, 1)[0], _after_blocks(source, at + 2)
        elif kind not in {_TRAILER, _PADDING}:
            raise Damaged("a GIF block is missing")
        yield kind, at, end
        at = end


def _colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(source: Source, at: int) -> int:
    """Return where a chain of blocks ends, each of which begins with its length of one byte."""
    ahead = _FIRST_PIECE
    while True:
        piece, place = source.upto(at, ahead), 0
        while place < len(piece):
            length = piece[place]
            place += 1 + length
            if not length:
                return at + place
        if len(piece) < ahead:
            raise Damaged("the file ends too early")
        at, ahead = at + place, min(2 * ahead, _LARGEST_PIECE)
