"""Find metadata in HEIC and AVIF: the EXIF and XMP items, blanked where they lie. Turning is no part of EXIF here."""

from collections.abc import Iterator

from media.metadata import mp4
from media.metadata.boxes import Box, boxes, child
from media.metadata.exif import UPRIGHT, orientation_only
from media.metadata.source import BytePatch, Damaged, Source

_NAMES = {b"Exif": "EXIF", b"mime": "XMP"}
_TOP = {b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"styp", b"sidx", b"moof"}
_WIDTHS = {0, 4, 8}
MAX_EXTENTS = 8192
"""Items and their pieces. A picture of 120 megapixels in tiles of 512 x 512 has 458 items of one piece each."""
_EMPTY_EXIF = bytes(4) + orientation_only(UPRIGHT)


def patches(source: Source) -> Iterator[BytePatch]:
    """Yield the patches that blank metadata."""
    budget = _Budget()
    for box in boxes(source, 0, source.size):
        if box.kind == b"meta":
            # A full box: version and flags stand before its children.
            yield from _items(source, Box(box.kind, box.start, box.body + 4, box.end), budget)
        elif box.kind == b"moov":
            yield from mp4.movie(source, box)
        elif box.kind not in _TOP:
            # Motion photos keep their video in a box of their own.
            yield box.blank("private box")


class _Budget:
    """The items and pieces that a whole file may have, in however many lists."""

    def __init__(self) -> None:
        self._remaining = MAX_EXTENTS

    def take(self, pieces: int) -> None:
        """Count an item with so many pieces. Raises Damaged."""
        # An item without pieces counts as well.
        self._remaining -= max(pieces, 1)
        if self._remaining < 0:
            raise Damaged("its items are in too many pieces")


def _items(source: Source, meta: Box, budget: _Budget) -> Iterator[BytePatch]:
    kinds = dict(_kinds(source, child(source, meta, b"iinf")))
    idat, iloc = child(source, meta, b"idat"), child(source, meta, b"iloc")
    for item, start, end in _extents(source, iloc, idat, budget) if iloc else ():
        kind = kinds.get(item, b"")
        inside = min(end, source.size) - start
        if kind not in _NAMES or inside <= 0:
            continue
        is_exif = kind == b"Exif"
        new = _EMPTY_EXIF if is_exif and inside >= len(_EMPTY_EXIF) else b""
        yield BytePatch(start, start + inside, _NAMES[kind], new, fill=b"\0" if is_exif else b" ")


def _kinds(source: Source, iinf: Box | None) -> Iterator[tuple[int, bytes]]:
    if iinf is None:
        return
    wide = source.take(iinf.body, 1)[0] > 0
    for box in boxes(source, iinf.body + (8 if wide else 6), iinf.end):
        version = source.take(box.body, 1)[0]
        if box.kind == b"infe" and version >= 2:
            width = 4 if version > 2 else 2
            content = source.take(box.body + 4, width + 6)
            yield int.from_bytes(content[:width], "big"), content[width + 2 :]


def _extents(source: Source, iloc: Box, idat: Box | None, budget: _Budget) -> Iterator[tuple[int, int, int]]:
    """Yield item, start and end in the file for every piece of every item (ISO/IEC 14496-12, 8.11.3).

    Raises Damaged for widths that the standard does not have, and for more than MAX_EXTENTS items or pieces: pieces
    whose numbers have no width take up no byte of the file, and cost as much work as others.
    """
    fields = _Fields(source.take(iloc.body, iloc.end - iloc.body))
    version = fields.number(1)
    fields.number(3)
    widths = fields.number(2)
    offset, length, base, index = (widths >> shift & 15 for shift in (12, 8, 4, 0))
    if not {offset, length, base, index if version else 0} <= _WIDTHS:
        raise Damaged("its list of items has numbers of a width that there is not")
    wide = 4 if version == 2 else 2
    for _ in range(fields.number(wide)):
        item = fields.number(wide)
        method = fields.number(2) & 15 if version else 0
        fields.number(2)
        start = fields.number(base)
        if method == 1 and idat:
            start += idat.body
        count = fields.number(2)
        budget.take(count)
        for _ in range(count):
            if version:
                fields.number(index)
            at = start + fields.number(offset)
            end = at + fields.number(length)
            if method < 2:
                yield item, at, end


class _Fields:
    """Numbers that follow one another."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def number(self, width: int) -> int:
        if self._at + width > len(self._content):
            raise Damaged("a list of items ends too early")
        self._at += width
        return int.from_bytes(self._content[self._at - width : self._at], "big")
