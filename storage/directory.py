"""A store in a directory, which the API and the workers share.

`objects/` has the objects, `incoming/` files that are being written, `parts/` uploads that come in parts.
"""

import os
import secrets
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from storage.base import (
    ObjectMissing,
    ObjectStat,
    Part,
    PartPlan,
    SignedRequest,
    Storage,
    StorageUnavailable,
    Written,
    is_key,
    object_path,
)
from storage.files import (
    LEAST_FREE,
    NOT_THERE,
    NewFile,
    OpenFile,
    StorageThreads,
    blocks,
    failures_of_disk,
    make_folder,
    open_reading,
    sync_folder,
)
from storage.part_files import PartFiles, WrittenPart

_SHORT_S = 15.0
"""For a call that reads or writes a megabyte at most. A disk that needs longer is away."""
_SYNC_S = 120.0
"""Until a file is on the disk."""
_WHOLE_S = 600.0
"""Until an object of 5 GB has been read once, for its digest."""
_PIECE = 256 * 1024

T = TypeVar("T")


class DirectoryStorage(Storage):
    """Objects in a directory of this machine, or of a network file system that locks files."""

    is_local = True

    def __init__(self, directory: Path, least_free: int = LEAST_FREE) -> None:
        super().__init__()
        self._directory = directory
        self._objects = directory / "objects"
        self._incoming = directory / "incoming"
        self._parts = directory / "parts"
        self._least_free = least_free
        self._threads = StorageThreads()

    async def prepare(self) -> None:
        """Make the folders in the directory, which must exist."""
        await self._run(_SHORT_S, self._prepare)

    async def has(self, key: str) -> bool:
        """Return whether an object is there."""
        path = self._object(key)

        def exists() -> bool:
            with failures_of_disk():
                return path.exists()

        return await self._threads.run(_SHORT_S, exists)

    async def room(self) -> int:
        """Return how many bytes of the disk uploads may still take."""

        def free() -> int:
            with failures_of_disk():
                disk = os.statvfs(self._directory)
            return max(0, disk.f_bavail * disk.f_frsize - self._least_free)

        return await self._threads.run(_SHORT_S, free)

    async def write(self, key: str, chunks: AsyncIterable[bytes], most: int) -> Written:
        """Write a temporary file, and give it its name when it is on the disk."""
        path = self._object(key)
        file = await self._run(_SHORT_S, partial(self._new_file, key, most), NewFile.discard)
        try:
            async for block in blocks(chunks):
                await self._run(_SYNC_S, partial(file.append, block))
            await self._run(_SYNC_S, partial(file.finish, path))
        finally:
            # In a thread: one that still writes is waited for there.
            await self._threads.clean_up(file.discard, _SHORT_S)
        return Written(file.size, file.sha256, "")

    async def stat(self, key: str) -> ObjectStat | None:
        """Return size and time of an object; None if it is not there."""
        with suppress(ObjectMissing):
            return await self._run(_SHORT_S, partial(self._stat, key))
        return None

    async def read(self, key: str, start: int = 0, end: int | None = None, etag: str = "") -> AsyncIterator[bytes]:
        """Yield the bytes from an offset up to another one. No one replaces a file's bytes, so there is no etag."""
        file = OpenFile(await self._run(_SHORT_S, partial(self._open, key), os.close))
        try:
            while length := _PIECE if end is None else min(_PIECE, end - start):
                piece = await self._run(_SHORT_S, partial(file.read_at, start, length))
                if not piece:
                    break
                yield piece
                start += len(piece)
        finally:
            self._threads.later(file.close)

    async def open_local(self, key: str) -> int | None:
        """Return a new read-only descriptor. Raises ObjectMissing."""
        return await self._run(_SHORT_S, partial(self._open, key), os.close)

    async def delete(self, key: str) -> None:
        """Delete the file of an object and of its upload in parts."""
        for removal in (self._remove_object, self._remove_parts):
            with suppress(ObjectMissing):
                await self._run(_SHORT_S, partial(removal, key))

    async def begin_multipart(self, key: str, content_type: str, plan: PartPlan) -> str:
        """Make the file into which the parts are written."""
        await self._run(_SHORT_S, self._part_files(key, plan).begin)
        return "file"

    async def write_part(
        self, key: str, multipart: str, plan: PartPlan, number: int, chunks: AsyncIterable[bytes]
    ) -> Part:
        """Write a part at its place in the file. Raises TooLong, TooShort, PartBusy, ObjectMissing."""
        part = await self._run(_SHORT_S, partial(self._written_part, key, plan, number), WrittenPart.close)
        try:
            async for block in blocks(chunks):
                await self._run(_SYNC_S, partial(part.append, block))
            await self._run(_SYNC_S, part.finish)
        finally:
            await self._threads.clean_up(part.close, _SHORT_S)
        return Part(number, plan.length(number))

    async def parts(self, key: str, multipart: str, plan: PartPlan) -> list[Part]:
        """Return the parts that are on the disk."""
        numbers = await self._run(_SHORT_S, self._part_files(key, plan).complete_numbers)
        return [Part(number, plan.length(number)) for number in numbers]

    async def complete_multipart(self, key: str, multipart: str, plan: PartPlan) -> Written:
        """Give the file its name. Reads it once, for its digest."""
        files = self._part_files(key, plan)
        sha256 = await self._run(_WHOLE_S, partial(files.complete, self._object(key)))
        return Written(plan.size, sha256, "")

    async def abort_multipart(self, key: str, multipart: str) -> None:
        """Delete the file with the parts."""
        with suppress(ObjectMissing):
            await self._run(_SHORT_S, partial(self._remove_parts, key))

    async def sign_put(self, key: str, content_type: str, size: int | None, seconds: int) -> SignedRequest | None:
        """Return None: the API takes the bytes."""
        return None

    async def sign_part(
        self, key: str, multipart: str, plan: PartPlan, number: int, seconds: int
    ) -> SignedRequest | None:
        """Return None: the API takes the bytes."""
        return None

    async def objects(self) -> AsyncIterator[ObjectStat]:
        """Yield all objects, a folder at a time."""
        for folder in await self._run(_SHORT_S, partial(_entries, self._objects)):
            for path in await self._run(_SHORT_S, partial(_entries, folder)):
                if is_key(path.name) and (facts := await self.stat(path.name)):
                    yield facts

    async def remove_abandoned(self, before: datetime) -> int:
        """Delete temporary files and uploads in parts to which nothing was added since then."""
        return await self._run(_SYNC_S, partial(self._remove_abandoned, before.timestamp()))

    async def close(self) -> None:
        """Release the threads."""
        self._threads.close()

    def _object(self, key: str) -> Path:
        return self._directory / object_path(key)

    def _part_files(self, key: str, plan: PartPlan) -> PartFiles:
        return PartFiles(self._parts / self._object(key).name, plan)

    def _new_file(self, key: str, most: int) -> NewFile:
        return NewFile(self._incoming / f"{key}.{secrets.token_hex(8)}", most, self._least_free)

    def _written_part(self, key: str, plan: PartPlan, number: int) -> WrittenPart:
        return WrittenPart(self._part_files(key, plan), number, self._least_free)

    def _open(self, key: str) -> int:
        return open_reading(self._object(key))

    def _stat(self, key: str) -> ObjectStat:
        facts = self._object(key).lstat()
        return ObjectStat(key, facts.st_size, "", datetime.fromtimestamp(facts.st_mtime, UTC))

    def _remove_object(self, key: str) -> None:
        path = self._object(key)
        path.unlink()
        sync_folder(path.parent)

    def _remove_parts(self, key: str) -> None:
        shutil.rmtree(self._parts / self._object(key).name)

    def _prepare(self) -> None:
        for folder in (self._incoming, self._parts, self._objects):
            make_folder(folder)

    async def _run(self, within_s: float, work: Callable[[], T], discard: Callable[[T], object] | None = None) -> T:
        """Return the result of a call that a thread makes.

        Raises ObjectMissing only if the directory is the one that was prepared.
        """
        self.refuse_if_foreign()

        def call() -> T:
            try:
                with failures_of_disk():
                    return work()
            except ObjectMissing:
                if not self._objects.is_dir():
                    raise StorageUnavailable(NOT_THERE) from None
                raise

        return await self._threads.run(within_s, call, discard)

    def _remove_abandoned(self, before_s: float) -> int:
        count = 0
        for path in _entries(self._incoming):
            with suppress(FileNotFoundError):
                if path.lstat().st_mtime < before_s:
                    path.unlink()
                    count += 1
        for folder in _entries(self._parts):
            times = [path.stat().st_mtime for path in (folder, *_entries(folder)) if path.exists()]
            if max(times, default=before_s) < before_s:
                shutil.rmtree(folder, ignore_errors=True)
                count += 1
        return count


def _entries(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return sorted(folder.iterdir())
    return []
