"""The time that has passed, also while a process was frozen or its machine slept."""

import time
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(slots=True)
class Stopwatch:
    """The time since its start: the longer one of the wall clock's and the monotonic clock's.

    The wall clock may be set back, and the monotonic clock may stop while a machine sleeps.
    """

    _wall: float = field(default_factory=time.time)
    _monotonic: float = field(default_factory=time.monotonic)

    def restart(self) -> None:
        """Restart at zero."""
        self._wall, self._monotonic = time.time(), time.monotonic()

    @property
    def passed(self) -> timedelta:
        """Return the time since the start."""
        return timedelta(seconds=max(time.time() - self._wall, time.monotonic() - self._monotonic))
