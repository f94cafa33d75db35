"""Find where in a file a track's samples lie, from its sample tables (ISO/IEC 14496-12, 8.6 and 8.7)."""

import struct
from collections.abc import Iterator

from media.metadata.boxes import Box, child
from media.metadata.source import Damaged, Source


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
