"""The share of a worker's steps, fetches, files and disk space that the media of one workspace may take."""

import random
import time
from collections.abc import Callable
from datetime import timedelta

from domain.plan import MEDIA_BUSY
from domain.shares import Share, Shares
from media.disk import MediaDisk
from platforms.errors import ErrorKind, PlatformError

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
