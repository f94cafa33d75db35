"""Walk the boxes of ISO media files (MP4, MOV, HEIC, AVIF)."""

from collections.abc import Iterator
from dataclasses import dataclass

from media.metadata.source import BytePatch, Damaged, Source

LONG_HEADER = 16
"""Bytes of a header that gives its size in 64 bits."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: `body` is where its content begins."""

    kind: bytes
    start: int
    body: int
    end: int

    def blank(self, what: str) -> BytePatch:
        """Return the patch that turns the box into free space of the same size."""
        long = self.body - self.start == LONG_HEADER
        size = (self.end - self.start).to_bytes(8, "big") if long else b""
        return BytePatch(self.start + 4, self.end, what, b"free" + size, fill=b"\0")


def boxes(source: Source, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes from `start` to `end`; raises Damaged."""
    at = start
    while at + 8 <= end:
        header = source.take(at, 8)
        size, body = int.from_bytes(header[:4], "big"), at + 8
        if size == 1:
            size, body = int.from_bytes(source.take(at + 8, 8), "big"), at + 16
        elif size == 0:
            size = end - at
        if size < body - at or body > end:
            raise Damaged("a box is smaller than its own header")
        yield Box(header[4:], at, body, min(at + size, end))
        at += size


def child(source: Source, parent: Box | None, *path: bytes) -> Box | None:
    """Return the first box under a path of kinds, None if there is none."""
    for kind in path:
        if parent is None:
            return None
        parent = next((box for box in boxes(source, parent.body, parent.end) if box.kind == kind), None)
    return parent
