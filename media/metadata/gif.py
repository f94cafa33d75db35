"""Find metadata in GIF: comments, and application blocks other than looping and colour."""

from collections.abc import Iterator

from media.metadata.source import BytePatch, Damaged, Source

IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_PADDING = 0
"""Some encoders put a zero between blocks; decoders skip it."""
CONTROL, COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
_FIRST_PIECE, _LARGEST_PIECE = 256, 64 * 1024
"""Bytes of a picture that are read at a time: few, so that not much more than a small picture is read."""
_NEEDED = {b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012"}


def patches(source: Source) -> Iterator[BytePatch]:
    """Yield the patches that remove metadata."""
    for kind, start, end in blocks(source):
        if kind == COMMENT:
            yield BytePatch(start, end, "comment")
        elif kind == _APPLICATION and (name := source.take(start + 3, 11)) not in _NEEDED:
            yield BytePatch(start, end, "XMP" if name.startswith(b"XMP") else "application data")
        elif kind == _TRAILER and end < source.size:
            yield BytePatch(end, source.size, "appended data")


def blocks(source: Source) -> Iterator[tuple[int, int, int]]:
    """Yield kind (an extension's is its label), start and end of every block up to the trailer."""
    at = 13 + _colours(source.take(10, 1)[0])
    kind = 0
    while at < source.size and kind != _TRAILER:
        head = source.upto(at, _FIRST_PIECE)
        kind, end = head[0], at + 1
        if kind == IMAGE:
            end = _after_blocks(source, at, head, 11 + _colours(_byte(head, 9)))
        elif kind == _EXTENSION:
            kind, end = _byte(head, 1), _after_blocks(source, at, head, 2)
        elif kind not in {_TRAILER, _PADDING}:
            raise Damaged("a GIF block is missing")
        yield kind, at, end
        at = end


def _colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _byte(head: bytes, place: int) -> int:
    if place >= len(head):
        raise Damaged("the file ends too early")
    return head[place]


def _after_blocks(source: Source, at: int, piece: bytes, place: int) -> int:
    """Return the end of a chain of blocks that begins at a place in a piece. A block's first byte is its length."""
    ahead = _FIRST_PIECE
    while piece:
        while place < len(piece):
            length = piece[place]
            place += 1 + length
            if not length:
                return at + place
        at, place, ahead = at + place, 0, min(2 * ahead, _LARGEST_PIECE)
        piece = source.upto(at, ahead)
    raise Damaged("the file ends too early")
