"""Bounded reading of a file that a stranger made."""

import re

from media.spool import Spool

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
