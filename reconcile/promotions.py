"""The decision after a promotion of a standby: whether its rows are complete.

A worker that was connected to the former primary knows. If commits waited for a standby, and the promoted server has
all of the log that the worker has seen, nothing that was answered is lost. Else publishing waits for a person
(`socialsyncer restored`).
"""

import structlog

from store.database import Database
from store.maintenance.beats import Beat
from store.maintenance.servers import ServerPosition, trust_promotion

log = structlog.get_logger(__name__)


class PromotionWatch:
    """The promotions that one worker sees."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._before: ServerPosition | None = None
        """The last position on the trusted timeline."""
        self._undecided: str | None = None
        """The timeline on which publishing waits for a person."""

    async def hear(self, beat: Beat | None) -> None:
        """Compare the server's position with the last one."""
        position = beat.server if beat else None
        if position is None:
            return
        if position.is_trusted:
            self._before, self._undecided = position, None
        elif position.timeline != self._undecided:
            await self._decide(position)

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
