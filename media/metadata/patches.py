"""The changes of a file as a list of replaced ranges, and how to carry them out in the file's own place."""

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
