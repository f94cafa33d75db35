"""Policies of leases: for which a process asks, and when it renews them.

In an idle fleet one worker leads: it holds all leases and renews them often. The others rest, and ask only from time to
time whether there is work and whether the lead still renews its leases. So they cost the database next to nothing.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from reconcile.late_posts import WATCH
from store.maintenance.beats import LEAD, Beat

DURATION = timedelta(seconds=15)
"""How long a lease lasts: a busy process may be late for a renewal, and one renewal may fail."""
_EVERY_S = 5.0
_LEAD_EVERY_S = 2.5
"""The pause of the lead, unless it also measures the state of the service: that needs as many statements."""
_ACTIVE_S = 15.0
"""For how long a worker shares the tasks after it has seen work, or has published."""
REST_S = (25.0, 27.0)
"""The pause of a worker that rests. A random one, so that workers that started together do not ask together."""
_MISSED = timedelta(seconds=4)
"""Since when the lead must have renewed its leases: else it may be dead, and a worker that rests asks again when they
end."""
_LOOK_S = 0.5
"""How often a worker that rests looks whether it publishes. That is no statement."""


class LeasePolicy:
    """The policy of a process that always asks for all of its leases, as an API does."""

    def __init__(self) -> None:
        self.work = set[str]()
        """The work of which the process wants to know although it has not the leases of its tasks."""
        self._begun_at = float("-inf")

    @property
    def takes_over(self) -> bool:
        """Whether the process takes over leases of others that hold more."""
        return False

    @property
    def rests(self) -> bool:
        """Whether the process does without leases."""
        return False

    @property
    def pause_s(self) -> float:
        """The seconds between two renewals."""
        return _EVERY_S

    def names(self, names: Sequence[str]) -> Sequence[str]:
        """Return for which of these leases the process asks if they are free."""
        return names

    def share(self, work: str) -> None:
        """Take up the name of work that workers share."""

    def hear(self, beat: Beat | None) -> None:
        """Take up the database's answer to a renewal; None if there was none."""

    async def wait(self) -> None:
        """Wait until the next renewal. The first one is due when the process starts."""
        while (remaining_s := self._begun_at + self.pause_s - time.monotonic()) > 0:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(min(remaining_s, _LOOK_S))
        self._begun_at = time.monotonic()


class WorkerPolicy(LeasePolicy):
    """The policy of a worker: it leads, or shares the tasks while there is work or it publishes, or rests.

    It begins as one that shares, so that a new worker takes over soon from the one that it replaces.
    """

    def __init__(self, has_published: Callable[[float], bool] = lambda _: False) -> None:
        super().__init__()
        self._has_published = has_published
        """Whether this process has published within so many seconds."""
        self._leads = self._measures = False
        self._active_until = time.monotonic() + _ACTIVE_S
        self._has_rested = False
        """Whether it rested at its last renewal. Else it has leases to give back."""
        self._rest_s = _EVERY_S

    @property
    def is_active(self) -> bool:
        """Whether the worker has seen work, or published, a short time ago."""
        return time.monotonic() < self._active_until or self._has_published(_ACTIVE_S)

    @property
    def takes_over(self) -> bool:
        """Whether the worker takes over leases of others that hold more. The lead takes all that are free."""
        return not self._leads and self.is_active

    @property
    def rests(self) -> bool:
        """Whether the worker does without leases."""
        return not self._leads and not self.is_active

    @property
    def pause_s(self) -> float:
        """The seconds between two renewals."""
        if self._leads and not self._measures:
            return _LEAD_EVERY_S
        return self._rest_s if self._has_rested and self.rests else _EVERY_S

    def names(self, names: Sequence[str]) -> Sequence[str]:
        """Return for which of these leases the process asks if they are free."""
        return [LEAD] if self.rests else [LEAD, *names]

    def share(self, work: str) -> None:
        """Take up the name of work that workers share."""
        self.work.add(work)

    def hear(self, beat: Beat | None) -> None:
        """Take up the database's answer to a renewal; None if there was none."""
        if beat is None:
            self._rest_s = _EVERY_S
            return
        self._leads, self._measures = LEAD in beat.leases, WATCH in beat.leases
        if beat.work & self.work:
            self._active_until = time.monotonic() + _ACTIVE_S
        self._has_rested = self.rests
        if beat.lead_ends_in < DURATION - _MISSED:
            self._rest_s = max(beat.lead_ends_in.total_seconds(), 0) + _LOOK_S
        else:
            self._rest_s = random.uniform(*REST_S)  # noqa: S311 no secret
