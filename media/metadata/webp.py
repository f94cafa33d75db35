"""Find metadata in WebP: the EXIF and XMP chunks and whatever else the picture does without."""

from collections.abc import Iterator

from media.metadata.exif import PREFIX, UPRIGHT, orientation, orientation_only
from media.metadata.source import BytePatch, Source

_NEEDED = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP", b"ANIM", b"ANMF"}
_NAMES = {b"EXIF": "EXIF", b"XMP ": "XMP"}
_HAS_EXIF, _HAS_XMP = 0x08, 0x04


def patches(source: Source) -> Iterator[BytePatch]:
    """Yield the patches that remove metadata; a turned picture keeps an EXIF chunk with its orientation alone."""
    flags: tuple[int, int] | None = None
    removals: list[BytePatch] = []
    end = 12
    for kind, start, end in chunks(source):
        if kind == b"VP8X":
            flags = start + 8, source.take(start + 8, 1)[0]
        elif kind not in _NEEDED:
            new = _turned(source.upto(start + 8, end - start - 8)) if kind == b"EXIF" else b""
            removals.append(
                BytePatch(start, end, _NAMES.get(kind, "private chunk"), new if len(new) <= end - start else b"")
            )
    if end < source.size:
        removals.append(BytePatch(end, source.size, "appended data"))
    if not removals:
        return
    new_size = source.size - sum(patch.end - patch.start - len(patch.new) for patch in removals)
    yield BytePatch(4, 8, new=(new_size - 8).to_bytes(4, "little"))
    if flags is not None:
        where, value = flags
        exif_flag = _HAS_EXIF if any(patch.new for patch in removals) else 0
        yield BytePatch(where, where + 1, new=bytes([value & ~(_HAS_EXIF | _HAS_XMP) | exif_flag]))
    yield from removals


def chunks(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end (with padding) of every chunk; content begins 8 bytes after the start."""
    at, whole = 12, min(source.size, 8 + int.from_bytes(source.take(4, 4), "little"))
    while at + 8 <= whole:
        header = source.take(at, 8)
        length = int.from_bytes(header[4:], "little")
        end = min(at + 8 + length + length % 2, whole)
        yield header[:4], at, end
        at = end


def _turned(exif: bytes) -> bytes:
    value = orientation(exif.removeprefix(PREFIX))
    content = orientation_only(value)
    return b"EXIF" + len(content).to_bytes(4, "little") + content if value != UPRIGHT else b""
