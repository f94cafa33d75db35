"""The share of a worker's steps, fetches, files and disk space that the media of one workspace may take.

The disk is measured again and again: others fill disks, too.
"""

import errno
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from domain.plan import MEDIA_BUSY
from domain.shares import Share, Shares
from platforms.errors import ErrorKind, PlatformError

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


MOST_STEPS = 60
"""Steps of one platform that hold media at the same time; the platform's other slots are left to posts without."""
MOST_FETCHES = 60
"""Files that one process fetches at the same time, each over one connection."""
FETCHES_OF_WORKSPACE = 10
"""Those of them that one workspace may have, unless the operator sets another number."""
MOST_FILES = 512
"""Files that one process holds; each takes one or two file descriptors, and many systems allow a process 1,024."""

_SOONEST_S, _LATEST_S = 1.0, 300.0
_SPREAD = 0.2
_FORGOTTEN_AFTER_S = 30.0
"""How long after its time a step that has not come back is still counted as waiting."""


class MediaBusy(PlatformError):
    """A step cannot have its media yet, because other steps of its workspace hold the workspace's share."""

    def __init__(self, wait: timedelta) -> None:
        message = "Other media of this workspace are fetched first; this post continues after them."
        super().__init__(ErrorKind.TRANSIENT, message, code=MEDIA_BUSY, retry_after=wait)
        self.wait = wait


class WaitingSteps:
    """The steps that gave their slots back and will come again.

    They are spread so that about one comes whenever something becomes free. More often would keep Temporal busy with
    steps that cannot continue; less often would leave what is free unused.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, dict[str, float]] = {}
        """By workspace its steps, each with the time until which it counts."""
        self._cleared_at = clock()

    def postpone(self, workspace_id: str, step: str, interval: float) -> timedelta:
        """Return how long a step waits if something becomes free for its workspace every `interval` seconds."""
        now = self._clock()
        self._clear(now)
        waiting = self._until.setdefault(workspace_id, {})
        waiting.pop(step, None)
        seconds = min(max((len(waiting) + 1) * interval, _SOONEST_S), _LATEST_S)
        waiting[step] = now + seconds + _FORGOTTEN_AFTER_S
        return timedelta(seconds=seconds * random.uniform(1 - _SPREAD, 1 + _SPREAD))  # noqa: S311 - no secret

    def admit(self, workspace_id: str, step: str) -> None:
        """Remove a step from the count."""
        waiting = self._until.get(workspace_id)
        if waiting is not None and waiting.pop(step, None) is not None and not waiting:
            del self._until[workspace_id]

    def _clear(self, now: float) -> None:
        if now < self._cleared_at + 1:
            return
        self._cleared_at = now
        for workspace_id, waiting in list(self._until.items()):
            remaining = {step: until for step, until in waiting.items() if until > now}
            self._until[workspace_id] = remaining
            if not remaining:
                del self._until[workspace_id]


class Admission:
    """The limits that all media of one process share, and the steps that wait for them."""

    def __init__(
        self, disk: MediaDisk | None = None, *, fetches: int = FETCHES_OF_WORKSPACE, most_steps: int = MOST_STEPS
    ) -> None:
        self.fetches = Shares(MOST_FETCHES, most_per_holder=fetches)
        self.files = Shares(MOST_FILES)
        self.disk = disk or MediaDisk()
        self.waiting = WaitingSteps()
        self._most_steps = most_steps
        self._steps: dict[str, Shares] = {}

    def hold_step(self, platform: str, workspace_id: str) -> Share:
        """Take a share of the steps of a platform that may hold media. Raises Exhausted."""
        steps = self._steps.setdefault(platform, Shares(self._most_steps))
        return steps.take(workspace_id)
