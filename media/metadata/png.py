"""Find metadata in PNG: every chunk that is not needed to show the picture."""

import zlib
from collections.abc import Iterator

from media.metadata.exif import UPRIGHT, orientation, orientation_only
from media.metadata.source import BytePatch, Source

_NEEDED = {
    b"IHDR", b"PLTE", b"IDAT", b"IEND",
    b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"hIST", b"pHYs",
    b"acTL", b"fcTL", b"fdAT",
}  # fmt: skip
_NAMES = {b"tEXt": "text", b"zTXt": "text", b"iTXt": "text", b"eXIf": "EXIF", b"tIME": "time"}


def patches(source: Source) -> Iterator[BytePatch]:
    """Yield the patches that remove metadata; a turned picture keeps an eXIf chunk with its orientation alone."""
    end = 8
    for kind, start, end in chunks(source):
        if kind not in _NEEDED:
            new = b""
            if kind == b"eXIf":
                value = orientation(source.upto(start + 8, end - start - 12))
                new = _chunk(kind, orientation_only(value)) if value != UPRIGHT else b""
            yield BytePatch(start, end, _NAMES.get(kind, "private chunk"), new if len(new) <= end - start else b"")
    if end < source.size:
        yield BytePatch(end, source.size, "appended data")


def chunks(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of every chunk up to the last; content begins 8 bytes after the start."""
    at, kind = 8, b""
    while at < source.size and kind != b"IEND":
        header = source.take(at, 8)
        kind, end = header[4:], min(at + 12 + int.from_bytes(header[:4], "big"), source.size)
        yield kind, at, end
        at = end


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
