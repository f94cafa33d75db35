"""Find metadata in MP4 and MOV: user data, key lists, private boxes, times, and whole tracks of positions.

Everything is blanked in its place: no offset in the file changes, so no picture or sound moves. A track's samples are
found by its sample tables (ISO/IEC 14496-12, 8.6 and 8.7).
"""

import struct
from collections.abc import Iterator

from media.metadata.boxes import Box, boxes, child
from media.metadata.source import MAX_READ, BytePatch, Damaged, Source


def sample_ranges(source: Source, stbl: Box | None) -> Iterator[tuple[int, int]]:
    """Yield start and end of each chunk of a track's samples."""
    runs = list(struct.iter_unpack(">III", _entries(source, child(source, stbl, b"stsc"), 12)))
    starts = [at for (at,) in struct.iter_unpack(">Q", _entries(source, child(source, stbl, b"co64"), 8))]
    starts += [at for (at,) in struct.iter_unpack(">I", _entries(source, child(source, stbl, b"stco"), 4))]
    uniform, sizes = _sizes(source, child(source, stbl, b"stsz"))
    sample = 0
    for number, (first, count, _) in enumerate(runs):
        last = runs[number + 1][0] if number + 1 < len(runs) else len(starts) + 1
        if not 0 < first <= last:
            raise Damaged("its sample tables contradict each other")
        for start in starts[first - 1 : last - 1]:
            length = uniform * count or sum(sizes[sample : sample + count])
            sample += count
            if length and start < source.size:
                yield start, min(start + length, source.size)


def _sizes(source: Source, stsz: Box | None) -> tuple[int, list[int]]:
    if stsz is None:
        return 0, []
    uniform = int.from_bytes(source.take(stsz.body + 4, 4), "big")
    # The size that all samples share stands before the count.
    shifted = Box(stsz.kind, stsz.start, stsz.body + 4, stsz.end)
    return uniform, [] if uniform else [size for (size,) in struct.iter_unpack(">I", _entries(source, shifted, 4))]


def _entries(source: Source, table: Box | None, width: int) -> bytes:
    if table is None:
        return b""
    count = int.from_bytes(source.take(table.body + 4, 4), "big")
    return source.take(table.body + 8, min(count, (table.end - table.body - 8) // width) * width)


_FREE = {b"free", b"skip", b"wide"}
_TOP = {
    b"ftyp", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"ssix", b"styp", b"emsg", b"pdin",
}  # fmt: skip
_MOVIE = {b"trak", b"mvex", b"iods", b"pssh"}
_TIMES = "creation time"
_TIMED = {b"mvhd", b"tkhd", b"mdhd"}
"""Headers in which the times of creation and change stand behind version and flags."""
_ABOUT = {b"udta": "user data", b"meta": "metadata", b"uuid": "private box", b"prft": _TIMES}
_ABOUT_FRAGMENTS = {b"udta": "user data", b"meta": "metadata"}
"""Not private boxes: encrypted fragments need theirs."""
_SPHERICAL = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
"""The private box that says a video is a 360° one (Spherical Video V1); players need it."""

_KEPT_TRACKS = {b"vide", b"soun", b"subt", b"sbtl", b"clcp", b"tmcd"}
"""Handlers of tracks that stay. `meta`, `camm` and `text` carry positions: GoPro, DJI, Sony, iPhone, Android."""


def patches(source: Source) -> Iterator[BytePatch]:
    """Yield the patches that blank metadata."""
    for box in boxes(source, 0, source.size):
        if box.kind == b"moov":
            yield from movie(source, box)
        elif box.kind == b"moof":
            yield from _fragment(source, box)
        elif box.kind in _FREE:
            yield from _emptied(source, box)
        elif box.kind not in _TOP:
            yield box.blank(_ABOUT.get(box.kind, "private box"))


def movie(source: Source, moov: Box) -> Iterator[BytePatch]:
    """Yield what to blank in a movie header."""
    for box in boxes(source, moov.body, moov.end):
        if box.kind == b"cmov":
            raise Damaged("its movie header is compressed")
        if box.kind == b"trak":
            yield from _track(source, box)
        elif box.kind in _FREE:
            yield from _emptied(source, box)
        elif box.kind in _TIMED:
            yield from _times(source, box)
        elif box.kind not in _MOVIE:
            yield box.blank(_ABOUT.get(box.kind, "private box"))


def _fragment(source: Source, moof: Box) -> Iterator[BytePatch]:
    for box in boxes(source, moof.body, moof.end):
        parts = boxes(source, box.body, box.end) if box.kind == b"traf" else (box,)
        yield from (part.blank(_ABOUT_FRAGMENTS[part.kind]) for part in parts if part.kind in _ABOUT_FRAGMENTS)


def _times(source: Source, box: Box) -> Iterator[BytePatch]:
    """Yield the two times of a header, of eight bytes each in version 1 and of four in version 0."""
    start = box.body + 4
    end = start + (16 if source.take(box.body, 1)[0] == 1 else 8)
    if end <= box.end:
        yield BytePatch(start, end, _TIMES, fill=b"\0")


def _emptied(source: Source, box: Box) -> Iterator[BytePatch]:
    # Editors free what they delete without wiping it.
    for at in range(box.body, box.end, MAX_READ):
        if source.upto(at, min(MAX_READ, box.end - at)).strip(b"\0"):
            yield BytePatch(at, box.end, "unused space", fill=b"\0")
            return


def _track(source: Source, trak: Box) -> Iterator[BytePatch]:
    handler = child(source, trak, b"mdia", b"hdlr")
    content = source.take(handler.body, handler.end - handler.body) if handler else b""
    # DJI writes positions as subtitles.
    if content[8:12] not in _KEPT_TRACKS or b"DJI" in content[24:]:
        for start, end in sample_ranges(source, child(source, trak, b"mdia", b"minf", b"stbl")):
            yield BytePatch(start, end, fill=b"\0")
        yield trak.blank("position or metadata track")
        return
    media = child(source, trak, b"mdia")
    for parent in (trak, media):
        for box in boxes(source, parent.body, parent.end) if parent else ():
            if box.kind in _ABOUT and not _is_spherical(source, box):
                yield box.blank(_ABOUT[box.kind])
            elif box.kind in _TIMED:
                yield from _times(source, box)


def _is_spherical(source: Source, box: Box) -> bool:
    return box.kind == b"uuid" and source.take(box.body, min(16, box.end - box.body)) == _SPHERICAL
