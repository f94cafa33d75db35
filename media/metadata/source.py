"""Bounded reading of a file that a stranger made, and its changes as a list of replaced ranges."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from media.spool import Spool

_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class BytePatch:
    """The bytes from `start` to `end` give way to `new`, which is no longer than they are.

    With `fill`, the rest of the range is filled with that byte and the file keeps its length; without, it shrinks.
    `what` names for people what is removed; it is empty if the change only follows from another.
    """

    start: int
    end: int
    what: str = ""
    new: bytes = b""
    fill: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.start + len(self.new) <= self.end:
            raise ValueError("a patch needs a range that its new bytes fit into")

    def changes(self, spool: Spool) -> bool:
        """Return whether the patch changes anything in the range."""
        if self.fill is None and len(self.new) < self.end - self.start:
            return True
        if spool.read_at(self.start, len(self.new)) != self.new:
            return True
        pieces = range(self.start + len(self.new), self.end, _PIECE)
        return any(spool.read_at(at, min(_PIECE, self.end - at)).strip(self.fill) for at in pieces)


def merge(patches: Iterable[BytePatch], size: int) -> list[BytePatch]:
    """Return patches of a file of `size` bytes in its order, without overlaps and not beyond the end.

    If two overlap, the one that begins first keeps its range. The other keeps only what lies behind, without its new
    bytes: these belong to a beginning that is gone. Empty ranges change nothing and are left out. So the ranges never
    sum to more than the file.
    """
    merged: list[BytePatch] = []
    done = 0
    for patch in sorted(patches, key=lambda patch: (patch.start, -patch.end)):
        end = min(patch.end, size)
        if end <= max(patch.start, done):
            continue
        if patch.start < done:
            merged.append(replace(patch, start=done, end=end, new=b""))
        else:
            merged.append(replace(patch, end=end, new=patch.new[: end - patch.start]))
        done = end
    return merged


def apply(spool: Spool, patches: Iterable[BytePatch]) -> None:
    """Carry out patches, merged: either all of them fill or keep their length, or content moves towards the start.

    One file suffices, and it need not be in memory.
    """
    read = write = 0
    for patch in merge(patches, spool.size):
        if patch.fill is not None:
            _fill(spool, patch, patch.fill)
            continue
        write = _move(spool, read, write, patch.start - read)
        spool.write_at(write, patch.new)
        write, read = write + len(patch.new), patch.end
    if read != write:
        spool.truncate(_move(spool, read, write, spool.size - read))


def _move(spool: Spool, read: int, write: int, length: int) -> int:
    for at in range(0, length if read != write else 0, _PIECE):
        spool.write_at(write + at, spool.read_at(read + at, min(_PIECE, length - at)))
    return write + length


def _fill(spool: Spool, patch: BytePatch, fill: bytes) -> None:
    spool.write_at(patch.start, patch.new)
    for at in range(patch.start + len(patch.new), patch.end, _PIECE):
        spool.write_at(at, fill * min(_PIECE, patch.end - at))


MAX_READ = 4 * 2**20
"""Bytes of one header, segment or table; real ones are far smaller."""
READS_PER_KIB = 32
"""Reads that each KiB of a file allows. The smallest pieces of real files, pictures of an animation in which little
moves, have some 100 bytes and take three reads each."""
SPARE_READS = 10_000
"""Reads that every file is allowed in addition: the header of a short video has some hundred small boxes."""
_WINDOW = 4 * 1024
_SEARCHED = 64 * 1024


class Damaged(Exception):
    """A file does not keep to its own format, or asks for more work than its size allows."""


class Source:
    """A file that is read in small pieces. The number of reads is bounded by the file's size."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._window = b""
        self._start = 0
        self.size = spool.size
        self.most_reads = SPARE_READS + self.size * READS_PER_KIB // 1024
        self.reads = 0

    def take(self, at: int, length: int) -> bytes:
        """Return exactly `length` bytes from an offset; raises Damaged if the file is shorter."""
        data = self.upto(at, length)
        if len(data) < length:
            raise Damaged("the file ends too early")
        return data

    def upto(self, at: int, length: int) -> bytes:
        """Return `length` bytes from an offset, fewer at the end of the file. Raises Damaged beyond the bounds."""
        self._count()
        if not 0 <= length <= MAX_READ:
            raise Damaged("one of its parts is too large")
        if length > _WINDOW:
            return self._spool.read_at(at, length)
        begin = self._seen_from(at, length, _WINDOW)
        return self._window[begin : begin + length]

    def find(self, pattern: re.Pattern[bytes], at: int) -> int:
        """Return where a pattern of two bytes occurs at or behind an offset, the file's size if it does not."""
        while at < self.size:
            self._count()
            begin = self._seen_from(at, 2, _SEARCHED)
            if match := pattern.search(self._window, begin):
                return self._start + match.start()
            end = self._start + len(self._window)
            if end >= self.size:
                break
            # The pattern may lie across two windows.
            at = end - 1
        return self.size

    def _count(self) -> None:
        self.reads += 1
        if self.reads > self.most_reads:
            raise Damaged("it is cut into more pieces than its size allows")

    def _seen_from(self, at: int, length: int, ahead: int) -> int:
        """Return where an offset lies in the window, which is moved if it does not hold so many bytes from there."""
        begin = at - self._start
        if not 0 <= begin <= begin + length <= len(self._window):
            self._window, self._start, begin = self._spool.read_at(at, ahead), at, 0
        return begin
