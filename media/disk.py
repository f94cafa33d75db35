"""The disk space that the media of one process share. It is measured again and again: others fill disks, too."""

import errno
import shutil
import tempfile
from collections.abc import Callable

import structlog

from domain.shares import Share, Shares

log = structlog.get_logger(__name__)

LEAST_BYTES = 64 * 2**20
"""Room below which a worker calls its disk full, and the least limit that an operator may set; our choice."""
_MOST_BYTES = 16 * 2**30


def free_bytes() -> int:
    """Return how many bytes are free in the folder for temporary files."""
    return shutil.disk_usage(tempfile.gettempdir()).free


class MediaDisk(Shares):
    """The bytes on disk that media may take: up to the operator's limit, or half of what is free without these media.

    On a disk with less room there are LEAST_BYTES all the same: small files are still published, and a file that finds
    no room fails as on any full disk.
    """

    def __init__(self, limit: int | None = None, free: Callable[[], int] = free_bytes) -> None:
        super().__init__(0)
        self._operator_limit = limit
        self._least = min(LEAST_BYTES, limit or LEAST_BYTES)
        self._measure_free = free
        self._was_full = False
        self.measure()

    @property
    def file_bytes(self) -> int:
        """Return how large a file may be at most: a workspace has room for it and for a changed copy."""
        return self.total // 4

    def measure(self) -> int:
        """Adapt the number of bytes to the disk, and return for how many it has room. Log if the disk becomes full."""
        unused = self._measure_free() + self.total - self.free
        room = min(unused // 2, _MOST_BYTES) if self._operator_limit is None else min(unused, self._operator_limit)
        self.set_total(max(room, self._least))
        is_full, facts = room < self._least, {"folder": tempfile.gettempdir(), "room_mb": room // 2**20}
        if is_full and not self._was_full:
            hint = "free space in this folder, or set TMPDIR to a larger disk; until then, posts with media wait"
            log.error("media.disk_full", **facts, needed_mb=self._least // 2**20, hint=hint)
        elif self._was_full and not is_full:
            log.warning("media.disk_has_room", **facts)
        self._was_full = is_full
        return room

    def resize(self, share: Share, amount: int) -> None:
        """Change a file's number of bytes.

        Raises Exhausted as Shares does, and OSError if the disk's limit is too small for the file. That is this
        machine's fault, like a full disk, and never that of the file's owner.
        """
        if amount > max(self.file_bytes, share.amount):
            raise OSError(errno.ENOSPC, f"a media file may take {self.file_bytes // 2**20} MiB here")
        super().resize(share, amount)
