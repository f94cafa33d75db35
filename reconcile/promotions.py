"""The decision after a promotion of a standby: whether its rows are complete.

A worker that was connected to the former primary knows. If commits waited for a standby, and the promoted server has
all of the log that the worker has seen, nothing that was answered is lost. Else publishing waits for a person
(`socialsyncer restored`).
"""

import time

import structlog

from reconcile.lease_policy import LeasePolicy
from store.database import Database
from store.maintenance.beats import Beat
from store.maintenance.servers import ServerPosition, trust_promotion

log = structlog.get_logger(__name__)

_OTHERS_DECIDE_S = 10.0
"""How long a worker that has seen nothing of the former primary leaves the decision to others."""


class PromotionWatch:
    """The promotions that one worker sees.

    A worker that rests has seen too little of the log: it knows no position.
    """

    def __init__(self, database: Database, policy: LeasePolicy) -> None:
        self._database = database
        self._policy = policy
        self._before: ServerPosition | None = None
        """The last position on the trusted timeline."""
        self._unknown_since: float | None = None
        """Since when the server has been one that is not trusted, and this worker knows no position to compare."""
        self._undecided: str | None = None
        """The timeline on which publishing waits for a person."""

    async def hear(self, beat: Beat | None) -> None:
        """Compare the server's position with the last one."""
        position = beat.server if beat else None
        if position is None:
            return
        if position.is_trusted:
            self._before = None if self._policy.rests else position
            self._undecided = self._unknown_since = None
        elif position.timeline != self._undecided and not self._may_others_decide():
            await self._decide(position)

    def _may_others_decide(self) -> bool:
        if self._before is not None:
            return False
        self._unknown_since = self._unknown_since or time.monotonic()
        return time.monotonic() - self._unknown_since < _OTHERS_DECIDE_S

    async def _decide(self, position: ServerPosition) -> None:
        before = self._before
        has_all = (
            before is not None
            and before.timeline == position.trusted_timeline
            and before.waits_for_standby
            and position.log_end >= before.log_end
        )
        if has_all:
            await trust_promotion(self._database.answers, position)
            log.warning("database.promoted", timeline=position.timeline, rows="complete")
        else:
            self._undecided = position.timeline
            log.error(
                "database.promoted",
                timeline=position.timeline,
                rows="may lack commits: nothing is published until `socialsyncer restored` has run",
            )
