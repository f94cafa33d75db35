"""One file of a post: as it was fetched, and what decoding processes found out about it, once for all of its users."""

import asyncio
from dataclasses import dataclass, field

from domain.shares import Share, Shares
from media.decoder_pool import DecoderPool, Examination
from media.fetch import Progress
from media.own_uploads import OwnUpload
from media.spool import Spool
from media.stored import StoredFile


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
