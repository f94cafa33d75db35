"""An upload in parts on disk: one file that has its full length from the start, and a small file for each part.

The file of a part says whether the part is on the disk. It is locked while the part is written, and the large file is
locked against its completion. The kernel releases the locks of a process that dies.
"""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

from storage.base import MOST_NAMED, ObjectMissing, PartBusy, PartPlan, PartsMissing, TooLong, TooShort
from storage.files import OpenFile, leave_room, make_folder, open_reading, sha256_of_file, sync_folder

_READ_WRITE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_COMPLETE = b"1"


class PartFiles:
    """The files of one upload in parts."""

    def __init__(self, folder: Path, plan: PartPlan) -> None:
        self.folder = folder
        self._data = folder / "data"
        self.plan = plan

    def begin(self) -> None:
        """Make the files. May be repeated."""
        make_folder(self.folder)
        descriptor = os.open(self._data, _READ_WRITE | os.O_CREAT, 0o600)
        with contextlib.closing(OpenFile(descriptor)) as file:
            os.ftruncate(descriptor, self.plan.size)
            file.sync()
        sync_folder(self.folder)

    def open_data(self, operation: int) -> int:
        """Return a locked descriptor of the large file. Raises PartBusy, ObjectMissing."""
        descriptor = _open_locked(self._data, _READ_WRITE, operation)
        # Completed or aborted before the lock was taken: the descriptor would be that of the object.
        if not self._data.exists() or not os.path.samestat(os.fstat(descriptor), self._data.stat()):
            os.close(descriptor)
            raise ObjectMissing("the upload has ended")
        return descriptor

    def open_part(self, number: int) -> int:
        """Return a locked descriptor of the file of a part. Raises PartBusy."""
        return _open_locked(self.folder / f"{number:04}", _READ_WRITE | os.O_CREAT, fcntl.LOCK_EX)

    def complete_numbers(self) -> list[int]:
        """Return the parts that are on the disk. Raises ObjectMissing."""
        paths = list(self.folder.iterdir())
        return sorted(int(path.name) for path in paths if path.name.isdecimal() and path.read_bytes() == _COMPLETE)

    def complete(self, path: Path) -> bytes:
        """Give the file its name, and return its digest. Raises PartsMissing, PartBusy, ObjectMissing."""
        try:
            descriptor = self.open_data(fcntl.LOCK_EX)
        except FileNotFoundError:
            digest = _digest_of_completed(path)
        else:
            digest = self._complete(descriptor, path)
        shutil.rmtree(self.folder, ignore_errors=True)
        return digest

    def _complete(self, descriptor: int, path: Path) -> bytes:
        with contextlib.closing(OpenFile(descriptor)) as file:
            missing = sorted(set(range(1, self.plan.count + 1)) - set(self.complete_numbers()))
            if missing:
                raise PartsMissing(missing[:MOST_NAMED])
            file.sync()
            digest = sha256_of_file(descriptor)
            make_folder(path.parent)
            self._data.rename(path)
            sync_folder(path.parent)
        return digest


class WrittenPart:
    """A part while it is written."""

    def __init__(self, files: PartFiles, number: int, least_free: int) -> None:
        self._start, self._length = files.plan.offset(number), files.plan.length(number)
        self._folder = files.folder
        self._size = 0
        with contextlib.ExitStack() as stack:
            leave_room(files.folder, least_free)
            self._data = OpenFile(files.open_data(fcntl.LOCK_SH), least_free)
            stack.callback(self._data.close)
            self._state = OpenFile(files.open_part(number))
            stack.callback(self._state.close)
            with self._state.descriptor() as descriptor:
                # From here on the part is neither the old one nor the new one.
                os.ftruncate(descriptor, 0)
                os.fsync(descriptor)
            self._close = stack.pop_all().close

    def append(self, data: bytes | bytearray) -> None:
        """Write the next bytes. Raises TooLong, StorageFull."""
        if self._size + len(data) > self._length:
            raise TooLong(f"the part has {self._length} bytes")
        self._data.write_at(self._start + self._size, data)
        self._size += len(data)

    def finish(self) -> None:
        """Let the part count, once it is on the disk. Raises TooShort."""
        if self._size < self._length:
            raise TooShort(f"{self._size} of {self._length} bytes")
        self._data.sync()
        self._state.write_at(0, _COMPLETE)
        self._state.sync()
        sync_folder(self._folder)

    def close(self) -> None:
        """Release the locks."""
        self._close()


def _open_locked(path: Path, flags: int, operation: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise PartBusy("another request writes this part, or completes the upload") from None
        raise
    return descriptor


def _digest_of_completed(path: Path) -> bytes:
    with contextlib.closing(OpenFile(descriptor := open_reading(path))):
        return sha256_of_file(descriptor)
