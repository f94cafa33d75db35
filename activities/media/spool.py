"""Keep media on disk in files without a name, read in pieces and never whole in memory."""

import asyncio
import io
import tempfile
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from platforms.base import MediaFile


class Spool:
    """Be a temporary file (in TMPDIR) that vanishes with the process, however that ends.

    Its methods block; they may be called from several threads.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="socialsyncer-", buffering=0)  # noqa: SIM115 - closed by close()
        self._lock = threading.Lock()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the disk space back; a thread that still reads gets a ValueError."""
        with self._lock:
            self._file.close()

    def append(self, data: bytes) -> None:
        """Write at the end."""
        self.write_at(self.size, data)

    def write_at(self, start: int, data: bytes) -> None:
        """Write at an offset, over what is there."""
        with self._lock:
            self._file.seek(start)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            self.size = max(self.size, start + len(data))

    def truncate(self, size: int) -> None:
        """Cut off everything from an offset on."""
        with self._lock:
            self.size = self._file.truncate(size)

    def read_at(self, start: int, length: int) -> bytes:
        """Return up to `length` bytes from an offset."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(length)

    def reader(self) -> io.BufferedReader:
        """Return a file object with a position of its own."""
        return io.BufferedReader(_Reader(self), 64 * 1024)

    async def chunks(self, size: int, start: int = 0) -> AsyncIterator[bytes]:
        """Yield the bytes from an offset on in pieces of the given size, read in a thread."""
        while chunk := await asyncio.to_thread(self.read_at, start, size):
            yield chunk
            start += len(chunk)


class _Reader(io.RawIOBase):
    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._spool.size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer has no len()
        data = self._spool.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


@dataclass(frozen=True, slots=True)
class StoredFile(MediaFile):
    """Be a media file on our disk, open to inspection and change beside what networks see of it."""

    spool: Spool


def stored(spool: Spool, content_type: str) -> StoredFile:
    """Return what a spool holds as a media file."""
    return StoredFile(content_type=content_type, size=spool.size, chunks=spool.chunks, spool=spool)
