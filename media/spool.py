"""Media on disk in files without a name, read in pieces and never whole in memory."""

import asyncio
import contextlib
import io
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import IO, ParamSpec, Self, TypeVar

from domain.shares import Share

_COPIED = 2**20
"""Bytes that are copied at a time."""
_SMALL = 64 * 1024
"""Bytes up to which reading and measuring a file takes less time than starting a thread: they are in the page cache."""
_LARGE = 16 * 2**20
"""Bytes beyond which a thread closes a file."""

P = ParamSpec("P")
T = TypeVar("T")


async def off_the_loop(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run work on a file of this many bytes in a thread; on a small one directly, because a thread would cost more."""
    return work(*args, **kwargs) if size <= _SMALL else await asyncio.to_thread(work, *args, **kwargs)


class Spool:
    """A temporary file (in TMPDIR) that disappears with the process, however that ends.

    Made when it is first needed: room for a changed file mostly is not. Its methods block; they may be called from
    several threads, and from several processes that share the file: no position is kept in it. Each write counts
    against `disk`, a share of the disk space, until the file is closed; a write beyond it raises Exhausted.
    """

    def __init__(self, file: IO[bytes] | None = None, disk: Share | None = None) -> None:
        self._file = file
        self._disk = disk
        self._closed = False
        self._is_stored = False
        # Prevents a close during a read: the descriptor of a closed file may soon belong to another file.
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Release the disk space; a thread that still reads gets a ValueError.

        A busy disk may take seconds to forget a large file, so in an event loop a thread waits for that.
        """
        if self._closed:
            return
        large = self._lock.locked() or self.size > _LARGE
        self._closed = True
        try:
            loop = asyncio.get_running_loop() if large else None
        except RuntimeError:
            loop = None
        if loop:
            loop.run_in_executor(None, self._close)
        else:
            self._close()

    def _close(self) -> None:
        with self._lock:
            if self._file:
                self._file.close()
        if self._disk:
            self._disk.release()

    def duplicate(self, *, writable: bool) -> int:
        """Return a new file descriptor, which the caller closes."""
        with self._lock:
            descriptor = self._descriptor()
            if not writable:
                with contextlib.suppress(OSError):
                    # Opened once more: a duplicate would be as writable as the descriptor is.
                    return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)
            return os.dup(descriptor)

    def read_stored(self, descriptor: int) -> None:
        """Read a file of the storage in place of a temporary one.

        The descriptor must be read-only, so that the kernel refuses writes; it is closed with this spool, and already
        now if the spool is closed.
        """
        with self._lock:
            if self._closed:
                os.close(descriptor)
                raise ValueError("the file is closed")
            self._file, self._is_stored = os.fdopen(descriptor, "rb", buffering=0), True

    @property
    def size(self) -> int:
        """Return the length in bytes."""
        with self._lock:
            return self._size()

    @property
    def temporary_bytes(self) -> int:
        """Return how many bytes of the disk for temporary files it takes."""
        return 0 if self._is_stored else self.size

    def reserve(self, size: int) -> None:
        """Reserve the disk space for this many bytes in all. Raises Exhausted."""
        with self._lock:
            if self._closed:
                raise ValueError("the file is closed")
            if self._disk and size > self._disk.amount:
                self._disk.resize(size)

    def release_unused(self) -> None:
        """Release the reserved disk space that the file does not take."""
        with self._lock:
            if self._disk and not self._closed:
                self._disk.resize(self._size())

    def append(self, data: bytes) -> None:
        """Write at the end."""
        self.write_at(self.size, data)

    def write_at(self, start: int, data: bytes) -> None:
        """Write at an offset, over what is there."""
        self.reserve(start + len(data))
        rest = memoryview(data)
        while rest:
            with self._lock:
                written = os.pwrite(self._descriptor(), rest, start)
            rest, start = rest[written:], start + written

    def truncate(self, size: int) -> None:
        """Cut off everything from an offset on."""
        with self._lock:
            os.ftruncate(self._descriptor(), size)

    def read_at(self, start: int, length: int) -> bytes:
        """Return up to `length` bytes from an offset."""
        with self._lock:
            return os.pread(self._descriptor(), length, start)

    def copy_to(self, other: "Spool") -> None:
        """Write everything at another's end."""
        at = 0
        other.reserve(other.size + self.size)
        while data := self.read_at(at, _COPIED):
            other.append(data)
            at += len(data)

    def reader(self) -> io.BufferedReader:
        """Return a file object with a position of its own."""
        return io.BufferedReader(_Reader(self), 64 * 1024)

    async def chunks(self, size: int, start: int = 0) -> AsyncIterator[bytes]:
        """Yield the bytes from an offset on in pieces of the given size."""
        end = self.size
        while start < end and (chunk := await off_the_loop(min(size, end - start), self.read_at, start, size)):
            yield chunk
            start += len(chunk)

    def _size(self) -> int:
        return os.fstat(self._descriptor()).st_size if self._file or self._closed else 0

    def _descriptor(self) -> int:
        if self._closed:
            raise ValueError("the file is closed")
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="socialsyncer-", buffering=0)  # noqa: SIM115 - close() does
        return self._file.fileno()


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
