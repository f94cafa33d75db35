"""Files of the directory of media: written completely or not at all, durable before they have a name."""

import asyncio
import contextlib
import errno
import hashlib
import os
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from storage.base import ObjectMissing, StorageError, StorageFull, StorageUnavailable, TooLong

THREADS = 16
BLOCK = 2**19
"""Bytes that are written at a time: a thread for each piece of a connection would cost more than the writing."""
T = TypeVar("T")


async def blocks(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes | bytearray]:
    """Yield the bytes in blocks of at least BLOCK bytes; the last one may be shorter."""
    block = bytearray()
    async for chunk in chunks:
        if not block and len(chunk) >= BLOCK:
            yield chunk
            continue
        block += chunk
        if len(block) >= BLOCK:
            yield block
            block = bytearray()
    if block:
        yield block


class StorageThreads:
    """The threads in which one store's blocking calls run."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="storage")

    async def run(self, within_s: float, work: Callable[[], T], discard: Callable[[T], object] | None = None) -> T:
        """Return the result of a blocking call. Raises StorageUnavailable if it takes longer.

        A call that was given up or cancelled may still end later; `discard` then gets its result.
        """
        future = self._pool.submit(work)
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.wrap_future(future)
        except BaseException as error:
            if discard:
                future.add_done_callback(lambda ended: _discard(ended, discard))
            if isinstance(error, TimeoutError):
                raise StorageUnavailable(f"no answer within {within_s:g} s") from None
            raise

    async def clean_up(self, work: Callable[[], object], within_s: float) -> None:
        """Wait for a call that also runs if the caller is cancelled; no longer than this if a disk hangs."""
        await asyncio.wait([asyncio.wrap_future(self._pool.submit(work))], timeout=within_s)

    def later(self, work: Callable[[], object]) -> None:
        """Let a thread clean up; the caller does not wait."""
        self._pool.submit(work)

    def close(self) -> None:
        """End the threads once they have finished what is running."""
        self._pool.shutdown(wait=False)


def _discard(future: Future[T], discard: Callable[[T], object]) -> None:
    if not future.cancelled() and future.exception() is None:
        discard(future.result())


FLUSH = 64 * 2**20
"""Bytes after which the disk is waited for, so that a file's end does not hold up the disk's other users."""
_BEGIN = 8 * 2**20
"""Bytes after which the kernel is asked to begin to write them to the disk. Then nothing waits long for FLUSH bytes: on
ext4 a GiB was written in 0.4 s instead of 0.7 s, and in 0.6 s by one fsync at the end (2026-11-30)."""
LEAST_FREE = 2**30
"""Bytes of the disk that uploads leave free: the database may be on the same disk, and stops if that is full."""
NOT_THERE = "the directory of the store is not there, or is not the one that was prepared: is its volume mounted?"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_COPIED = 2**20


@contextlib.contextmanager
def failures_of_disk() -> Iterator[None]:
    """Raise errors of the operating system as those of the store."""
    try:
        yield
    except FileNotFoundError:
        raise ObjectMissing("the store has no such object") from None
    except OSError as error:
        raise disk_failure(error, "the directory of the store") from None


def disk_failure(error: OSError, place: str) -> StorageError:
    """Return an error of the operating system as that of the store."""
    if error.errno in _FULL:
        return StorageFull(f"{place} has no room: its disk is full")
    return StorageUnavailable(f"{place} fails: {errno.errorcode.get(error.errno or 0, 'OSError')}")


def leave_room(place: Path | int, least_free: int) -> None:
    """Raise StorageFull if less than this is free on the disk of a path or descriptor."""
    disk = os.statvfs(place)
    if disk.f_bavail * disk.f_frsize < least_free:
        raise StorageFull("the disk of the store is nearly full")


def open_reading(path: Path) -> int:
    """Return a read-only descriptor."""
    return os.open(path, _READ_ONLY)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder that may be there already, with a durable name. Raises StorageUnavailable without its parent."""
    if not folder.is_dir():
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except FileNotFoundError:
            raise StorageUnavailable(NOT_THERE) from None
        sync_folder(folder.parent)


def sha256_of_file(descriptor: int) -> bytes:
    """Return the digest of a whole file."""
    digest, at = hashlib.sha256(), 0
    while data := os.pread(descriptor, _COPIED, at):
        digest.update(data)
        at += len(data)
    return digest.digest()


def _begin_writing(descriptor: int, start: int, length: int) -> None:
    """Let the kernel write a range to the disk, without waiting. Does nothing on systems without posix_fadvise.

    Linux writes what has changed before it forgets it, and does not forget what it still writes (fadvise.c).
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)


class OpenFile:
    """A file that threads read and write while the event loop may give it up at any time.

    `close` waits for the call that runs, so no thread ever uses a descriptor that has become another file's.
    """

    def __init__(self, descriptor: int, least_free: int = 0) -> None:
        self._descriptor: int | None = descriptor
        self._least_free = least_free
        self._unflushed = 0
        self._not_begun = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[int]:
        """Hold the descriptor for the length of the block. Raises StorageUnavailable if the file was given up."""
        with self._lock:
            if self._descriptor is None:
                raise StorageUnavailable("the call was given up")
            yield self._descriptor

    def read_at(self, start: int, length: int) -> bytes:
        """Return up to `length` bytes from an offset."""
        with self.descriptor() as descriptor:
            return os.pread(descriptor, length, start)

    def write_at(self, start: int, data: bytes | bytearray) -> None:
        """Write behind what was written before, and now and then to the disk itself. Raises StorageFull."""
        rest = memoryview(data)
        with self.descriptor() as descriptor:
            while rest:
                written = os.pwrite(descriptor, rest, start)
                rest, start = rest[written:], start + written
            self._unflushed += len(data)
            self._not_begun += len(data)
            if self._not_begun >= _BEGIN:
                _begin_writing(descriptor, start - self._not_begun, self._not_begun)
                self._not_begun = 0
                leave_room(descriptor, self._least_free)
            if self._unflushed >= FLUSH:
                os.fdatasync(descriptor)
                self._unflushed = 0

    def sync(self) -> None:
        """Write everything to the disk."""
        with self.descriptor() as descriptor:
            os.fsync(descriptor)


class NewFile:
    """A file under a temporary name, which gets its own name at the end."""

    def __init__(self, path: Path, most: int, least_free: int) -> None:
        leave_room(path.parent, least_free)
        self._file = OpenFile(os.open(path, _NEW, 0o600), least_free)
        self._path = path
        self._most = most
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> bytes:
        """Return the digest of what was written."""
        return self._digest.digest()

    def append(self, data: bytes | bytearray) -> None:
        """Write at the end. Raises TooLong, StorageFull."""
        if self.size + len(data) > self._most:
            raise TooLong(f"more than {self._most} bytes")
        self._file.write_at(self.size, data)
        self._digest.update(data)
        self.size += len(data)

    def finish(self, path: Path) -> None:
        """Give the file its name, once its bytes are on the disk."""
        self._file.sync()
        make_folder(path.parent)
        self._path.replace(path)
        sync_folder(path.parent)
        self._file.close()

    def discard(self) -> None:
        """Remove the file, if it has not got its name."""
        self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink()
