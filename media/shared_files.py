"""Fetch a file once for all targets of a post that want it at about the same time, and keep it a little while.

Decoding processes examine it once for all of them, too.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

from domain.post import Media
from domain.shares import Exhausted, Share, Shares
from media.admission import Admission
from media.decoder_pool import DecoderPool, Examination
from media.fetch import MediaFetcher, Progress
from media.own_uploads import OwnUpload, OwnUploads, check_size
from media.spool import Spool
from media.stored import AnyFile, StoredFile
from platforms.errors import ErrorKind, PlatformError


@dataclass(eq=False, slots=True)
class SharedFile:
    """A file with its space on disk. Its users are the targets of its post; none may change it."""

    workspace_id: str
    spool: Spool
    descriptors: Share
    disk: Shares
    most_bytes: int
    """The size up to which it is fetched: the largest limit of the platforms that have asked for it."""
    upload: OwnUpload | None = None
    """The client's upload that it is; None for a file that is fetched."""
    fetching: "asyncio.Task[StoredFile]" = field(init=False)
    listeners: list[Progress] = field(default_factory=list)
    """One for each user."""
    ending: asyncio.TimerHandle | None = None
    size: int = 0
    """Its bytes on the disk for temporary files and those of its copy, measured after each use."""
    _examining: "dict[bool, asyncio.Task[Examination]]" = field(default_factory=dict)
    """By whether metadata are removed."""
    _copy: Spool | None = None
    """The file without its metadata, if it had any."""

    def report(self, received: int) -> None:
        """Tell all users how many bytes have come."""
        for listener in self.listeners:
            listener(received)

    @property
    def stored(self) -> StoredFile:
        """Return the file as it was fetched; it must have been."""
        return self.fetching.result()

    async def examine(self, pool: DecoderPool, *, cleaned: bool) -> Examination:
        """Return what one process found out for all users. If `cleaned`, the file is one without metadata.

        Raises as DecoderPool.examine does. A failure is not kept: who asks next has the file examined again.
        """
        if cleaned not in self._examining:
            task = self._examining[cleaned] = asyncio.create_task(self._examined(pool, cleaned))
            task.add_done_callback(lambda task: self._forget_failure(cleaned, task))
        # It continues for the others when this user is cancelled.
        return await asyncio.shield(self._examining[cleaned])

    def leave(self) -> None:
        """End examinations that no user waits for, and measure the kept files."""
        self._end_examining()
        self.size = self.spool.temporary_bytes + (self._copy.size if self._copy else 0)

    def close(self) -> None:
        """Close the file and its copy."""
        self.fetching.cancel()
        self._end_examining()
        for spool in (self.spool, self._copy):
            if spool is not None:
                spool.close()
        self.descriptors.release()

    async def _examined(self, pool: DecoderPool, cleaned: bool) -> Examination:
        if not cleaned:
            return await pool.examine(self.workspace_id, self.stored)
        room = Spool(disk=self.disk.take(self.workspace_id, 0))
        try:
            examination = await pool.examine(self.workspace_id, self.stored, room)
            if examination[0].spool is room:
                self._copy = room
        finally:
            if self._copy is not room:
                room.close()
        return examination

    def _end_examining(self) -> None:
        for cleaned, task in list(self._examining.items()):
            if not task.done():
                # Forgotten at once: a user who comes before the task has ended would be cancelled with it.
                del self._examining[cleaned]
                task.cancel()

    def _forget_failure(self, cleaned: bool, task: "asyncio.Task[Examination]") -> None:
        # The exception is read even if every user has gone meanwhile: asyncio would report it as lost.
        if (task.cancelled() or task.exception() is not None) and self._examining.get(cleaned) is task:
            del self._examining[cleaned]


KEPT_S = 240
"""Seconds for which a file is kept after its last use: longer than media are prepared ahead of the due time, for some
platforms get a video's last piece only then."""
MOST_FILES = 256
"""Files that are kept without being used; each holds a file descriptor."""

_TIMEOUT_S = 2.0
"""Seconds that a step waits in its slot until another file is fetched. Running the step again would take longer."""
_ASK_AGAIN_S = 0.05

_Key = tuple[str, str, str]


class SharedFiles:
    """The files of posts that are being published. A file belongs to one post; one instance per worker.

    All targets of a post get the same file, so no caller may change it. Files that are not in use take at most
    `most_bytes`, by default a quarter of the disk space, which is as much as the largest file may have; beyond it the
    oldest go. A file that is one of the `uploads` is not fetched: it is read from the storage, in place if possible.
    """

    def __init__(
        self,
        fetcher: MediaFetcher,
        admission: Admission | None = None,
        uploads: OwnUploads | None = None,
        *,
        keep_s: float = KEPT_S,
        most_bytes: int | None = None,
        most_files: int = MOST_FILES,
    ) -> None:
        self._fetcher = fetcher
        self._admission = admission or Admission()
        self._uploads = uploads
        self._keep_s = keep_s
        self._most_unused_bytes = most_bytes
        self._most_files = most_files
        self._files: dict[_Key, SharedFile] = {}
        self._unused: dict[_Key, SharedFile] = {}
        """The unused ones; the one that is unused for the longest time comes first."""
        self._unused_bytes = 0

    @property
    def max_bytes(self) -> int:
        """Return how large a file may be that is fetched at all."""
        return self._fetcher.max_bytes

    async def close(self) -> None:
        """Drop the kept files and close all connections."""
        for key, file in list(self._files.items()):
            self._drop(key, file)
        await self._fetcher.close()

    async def probe(self, workspace_id: str, media: Media, most_bytes: int | None) -> str:
        """Return what the first bytes of a file show it to be; nothing is kept.

        Raises as MediaFetcher.probe and OwnUpload.probe do, and Exhausted if the workspace has its share of fetches.
        """
        if self._uploads and (upload := await self._uploads.find(workspace_id, media)):
            return await upload.probe(media, most_bytes)
        with self._admission.fetches.take(workspace_id):
            return await self._fetcher.probe(media, most_bytes, workspace_id=workspace_id)

    @asynccontextmanager
    async def fetch(self, workspace_id: str, file: AnyFile, most_bytes: int) -> AsyncIterator[StoredFile]:
        """Yield a file that belongs to no post, fetched, for the length of the block.

        Raises as MediaFetcher.fetch does, and Exhausted if the workspace has its share of fetches or files.
        """
        with ExitStack() as taken:
            connection = taken.enter_context(self._admission.fetches.take(workspace_id))
            taken.enter_context(self._descriptors(workspace_id))
            spool = taken.enter_context(Spool(disk=self._admission.disk.take(workspace_id, 0)))
            stored_file = await self._fetcher.fetch(
                file, spool, lambda _: None, lambda: most_bytes, workspace_id=workspace_id
            )
            connection.release()
            yield stored_file

    async def lacks_address(self, workspace_id: str, media: Media) -> bool:
        """Return whether a platform cannot fetch a file because it is an upload without a public address.

        Raises as OwnUploads.find does.
        """
        upload = await self._uploads.find(workspace_id, media) if self._uploads else None
        return upload is not None and upload.public_url is None

    def forget(self, post_id: str) -> None:
        """Drop a post's files, so that they are fetched again: their owner may correct what was refused."""
        for key, file in list(self._files.items()):
            if key[0] == post_id:
                self._drop(key, file)

    def make_room(self, workspace_id: str, short: Exhausted) -> None:
        """Drop files that a workspace does not use, the longest unused first, until it has the missing room."""
        missing = short.missing if short.shares in {self._admission.disk, self._admission.files} else 0
        for key, file in list(self._unused.items()):
            if missing > 0 and file.workspace_id == workspace_id:
                missing -= file.size if short.shares is self._admission.disk else 1
                self._drop(key, file)

    @asynccontextmanager
    async def open(
        self, workspace_id: str, post_id: str, media: Media, progress: Progress, most_bytes: int | None = None
    ) -> AsyncIterator[SharedFile]:
        """Yield a fetched file for the length of the block, and while others use it. It may exceed `most_bytes`.

        Raises as MediaFetcher.fetch and OwnUpload.fetch do, and Exhausted if the workspace has its share of fetches or
        files.
        """
        key, most_bytes = (post_id, media.type, media.url), most_bytes or self.max_bytes
        file = await self._find_or_fetch(key, workspace_id, media, most_bytes)
        file.most_bytes = max(file.most_bytes, most_bytes)
        file.listeners.append(progress)
        self._use(key, file)
        try:
            # It continues for the others when this one is cancelled.
            await asyncio.shield(file.fetching)
            yield file
        except PlatformError as error:
            if error.kind is ErrorKind.REJECTED:
                self._forget(key, file)
            raise
        finally:
            file.listeners.remove(progress)
            if not file.listeners:
                self._leave(key, file)

    async def _find_or_fetch(self, key: _Key, workspace_id: str, media: Media, most_bytes: int) -> SharedFile:
        """Return the file if it is fetched or being fetched; else begin to fetch it as soon as there is room."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _TIMEOUT_S
        if (file := self._files.get(key)) is not None:
            upload = file.upload
        else:
            upload = await self._uploads.find(workspace_id, media) if self._uploads else None
        if upload:
            check_size(upload, media, most_bytes)
        while (file := self._files.get(key)) is None:
            try:
                return self._begin(key, workspace_id, media, most_bytes, upload)
            except Exhausted:
                if loop.time() >= deadline:
                    raise
            await asyncio.sleep(_ASK_AGAIN_S)
        return file

    def _begin(
        self, key: _Key, workspace_id: str, media: Media, most_bytes: int, upload: OwnUpload | None
    ) -> SharedFile:
        with ExitStack() as taken:
            connection = None if upload else taken.enter_context(self._admission.fetches.take(workspace_id))
            descriptors = taken.enter_context(self._descriptors(workspace_id))
            spool = taken.enter_context(Spool(disk=self._admission.disk.take(workspace_id, 0)))
            taken.pop_all()
        most = upload.size if upload else most_bytes
        file = self._files[key] = SharedFile(workspace_id, spool, descriptors, self._admission.disk, most, upload)
        fetch = (
            upload.fetch(media, spool, file.report)
            if upload
            else self._fetcher.fetch(media, spool, file.report, lambda: file.most_bytes, workspace_id=workspace_id)
        )
        file.fetching = asyncio.create_task(fetch)
        if connection is not None:
            file.fetching.add_done_callback(lambda _: connection.release())
        return file

    def _descriptors(self, workspace_id: str) -> Share:
        """Take one more file from a workspace's share; its unused files give way. Raises Exhausted."""
        try:
            return self._admission.files.take(workspace_id)
        except Exhausted as short:
            self.make_room(workspace_id, short)
            return self._admission.files.take(workspace_id)

    def _use(self, key: _Key, file: SharedFile) -> None:
        if file.ending:
            file.ending.cancel()
        # A file that was forgotten may have a successor of the same name.
        if self._unused.get(key) is file:
            del self._unused[key]
            self._unused_bytes -= file.size

    def _leave(self, key: _Key, file: SharedFile) -> None:
        done = file.fetching.done() and not file.fetching.cancelled() and file.fetching.exception() is None
        if not done or self._files.get(key) is not file:
            self._drop(key, file)
            return
        file.leave()
        file.ending = asyncio.get_running_loop().call_later(self._keep_s, self._drop, key, file)
        self._unused[key] = file
        self._unused_bytes += file.size
        most = self._admission.disk.file_bytes if self._most_unused_bytes is None else self._most_unused_bytes
        while self._unused_bytes > most or len(self._unused) > self._most_files:
            self._drop(*next(iter(self._unused.items())))

    def _forget(self, key: _Key, file: SharedFile) -> None:
        if self._files.get(key) is file:
            del self._files[key]

    def _drop(self, key: _Key, file: SharedFile) -> None:
        self._forget(key, file)
        if file.listeners:
            return
        self._use(key, file)
        file.close()
