"""Say what changes in a file as a list of replaced ranges, and carry it out in the file's own place."""

from collections.abc import Iterable
from dataclasses import dataclass

from activities.media.spool import Spool

MAX_READ = 4 * 2**20
"""Bytes of one header, segment or table; real ones are far smaller."""
MAX_READS = 20_000_000
"""A live recording of some hours has a few millions of blocks."""
_PIECE = 2**20


class Damaged(Exception):
    """A file does not keep to its own format."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Put `new` in the place of the bytes from `start` to `end`, which are at least as many.

    With `fill`, the rest of the range is filled with that byte and the file keeps its length; without, it shrinks.
    `what` names for people what is removed; empty where the change only follows from another.
    """

    start: int
    end: int
    what: str = ""
    new: bytes = b""
    fill: bytes | None = None

    def changes(self, spool: Spool) -> bool:
        """Tell whether the range holds anything else yet."""
        if self.fill is None and len(self.new) < self.end - self.start:
            return True
        if spool.read_at(self.start, len(self.new)) != self.new:
            return True
        pieces = range(self.start + len(self.new), self.end, _PIECE)
        return any(spool.read_at(at, min(_PIECE, self.end - at)).strip(self.fill) for at in pieces)


class Source:
    """Read a file that may be made to hurt: every read is small and their number is bounded."""

    def __init__(self, spool: Spool) -> None:
        self._reader = spool.reader()
        self._left = MAX_READS
        self.size = spool.size

    def take(self, at: int, length: int) -> bytes:
        """Return exactly `length` bytes from an offset; raises Damaged where the file is shorter."""
        found = self.upto(at, length)
        if len(found) < length:
            raise Damaged("the file ends too early")
        return found

    def upto(self, at: int, length: int) -> bytes:
        """Return `length` bytes from an offset, fewer at the end of the file."""
        self._left -= 1
        if not 0 <= length <= MAX_READ or self._left < 0:
            raise Damaged("its structure is beyond all measure")
        self._reader.seek(at)
        return self._reader.read(length)


def apply(spool: Spool, patches: Iterable[Patch]) -> None:
    """Carry out patches: either all of them fill, and may then overlap, or none does and they do not overlap.

    Content only ever moves towards the start, so that one file suffices and none of it need be in memory.
    """
    read = write = 0
    for patch in sorted(patches, key=lambda patch: patch.start):
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


def _fill(spool: Spool, patch: Patch, fill: bytes) -> None:
    spool.write_at(patch.start, patch.new)
    for at in range(patch.start + len(patch.new), patch.end, _PIECE):
        spool.write_at(at, fill * min(_PIECE, patch.end - at))
