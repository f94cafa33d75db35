"""The bandwidth for the media of one workspace: reading them takes CPU time of a worker that all share."""

import time
from collections import OrderedDict
from collections.abc import Callable

PER_SECOND = 32 * 2**20
"""Bytes of a workspace's files that a worker reads in a second for long, and in a burst after a pause. They take some
2.5 ms of the processor for each MiB, so one workspace can take a twelfth of a core."""
_MOST_WORKSPACES = 1_000
"""Most workspaces that are remembered; beyond, the one that read least recently starts with a full second again."""


class Bandwidth:
    """The bytes that each workspace has read lately."""

    def __init__(self, per_second: int = PER_SECOND, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._ahead: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_after(self, workspace_id: str, received: int) -> float:
        """Count bytes that a workspace has received; return for how many seconds it must not read on."""
        now = self._clock()
        ahead, since = self._ahead.pop(workspace_id, (0.0, now))
        ahead = max(0.0, ahead - (now - since) * self._per_second) + received
        self._ahead[workspace_id] = (ahead, now)
        if len(self._ahead) > _MOST_WORKSPACES:
            self._ahead.popitem(last=False)
        return max(0.0, ahead / self._per_second - 1)
