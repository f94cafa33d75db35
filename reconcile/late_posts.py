"""The watch: one process reports late posts, and measures the state of the service for all of them.

A late post is reported twice: when it is found, and when it has begun. The APIs ask for the lease of the watch as the
workers do, because the workers may be the unavailable part.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import structlog

from domain.post import LATE_AFTER
from domain.schedule import rfc3339
from reconcile.clock import ClockCheck
from reconcile.measures import MEASURED_ROWS, Gauges, Sample, measure
from reconcile.readiness import Parts, Readiness
from reconcile.rounds import BackgroundTask
from store.database import Database
from store.maintenance.beats import Beat, write_state
from store.maintenance.waiting import LatePostEnded, LatePostFound, end_late, note_late
from store.rows import database_now

log = structlog.get_logger(__name__)

EVERY_S = 5.0
_RESTS_S = 300.0
"""How old the numbers may be if there is nothing that most of them count."""
_SAVED_EVERY_S = 10.0
"""How often the state is saved again then: half of the time for which it counts as fresh."""
WATCH = "watch"
"""The lease of the watch."""
_BATCH = 500


class LatePostWatch:
    """The watch of one process. It works while the process has the lease, and shows what the holder has measured."""

    def __init__(
        self,
        database: Database,
        late_after: timedelta = LATE_AFTER,
        gauges: Gauges | None = None,
        readiness: Readiness | None = None,
    ) -> None:
        self._database = database
        self._late_after = late_after
        self._gauges = gauges or Gauges()
        self._readiness = readiness
        self._clock = ClockCheck(self._gauges)
        self._measured_at = time.monotonic()
        """When the state that this process shows was measured, by the event loop's clock."""
        self._measured: tuple[list[Sample], Parts] | None = None
        self._saved_at = float("-inf")

    def tasks(self) -> list[BackgroundTask]:
        """Return the task that checks and measures every few seconds, and the one that keeps the state fresh."""

        async def work() -> None:
            # A state that cannot be measured grows old, which has an alert.
            self._measured = None
            await self.check()
            if self._readiness:
                await self.measure(self._readiness)

        return [
            BackgroundTask(work, EVERY_S, "watch.postponed", due=MEASURED_ROWS, rests_s=_RESTS_S),
            BackgroundTask(self.keep, EVERY_S, "state.not_kept"),
        ]

    def age_task(self) -> BackgroundTask:
        """Return the task that shows how old the state is while the process does not ask the database."""

        async def show() -> None:
            self._show_age()

        return BackgroundTask(show, EVERY_S, "state.no_age")

    async def check(self) -> None:
        """Report the posts that became late since the last check, and those that are no longer late."""
        while len(await self._find()) == _BATCH:
            pass
        while len(await self._end()) == _BATCH:
            pass

    async def measure(self, readiness: Readiness) -> None:
        """Measure the state, and save it for all processes."""
        self._measured = await measure(self._database, self._late_after), await readiness.measure()
        await self._save(*self._measured)

    async def keep(self) -> None:
        """Save the state again if its numbers are old, or if a part has changed that is not in the rows."""
        measured, now = self._measured, asyncio.get_running_loop().time()
        if self._readiness is None or measured is None or now - self._saved_at < EVERY_S:
            return
        samples, former = measured
        parts = await self._readiness.measure(former)
        if self._measured is measured and (parts != former or now - self._saved_at >= _SAVED_EVERY_S):
            self._measured = samples, parts
            await self._save(samples, parts)

    async def _save(self, samples: Sequence[Sample], parts: Parts) -> None:
        await write_state(self._database, {"parts": parts, "samples": [sample.as_json() for sample in samples]})
        self._saved_at = asyncio.get_running_loop().time()

    async def hear(self, beat: Beat | None) -> None:
        """Show the state that the database answered; None if it did not."""
        if beat is not None:
            self._clock.check(beat.skew)
        if self._readiness:
            self._readiness.hear(beat)
            if not self._gauges.off:
                self._gauges.parts(await self._readiness.parts())
                self._gauges.room_for_uploads(self._readiness.room_for_uploads)
        if beat is not None and beat.state is not None:
            self._measured_at = asyncio.get_running_loop().time() - beat.age.total_seconds()
            samples = [Sample(sample["gauge"], sample["value"], sample["labels"]) for sample in beat.state["samples"]]
            self._gauges.export(samples)
        # While the database does not answer, the state that is shown grows older.
        self._show_age()

    def _show_age(self) -> None:
        self._gauges.state_age(timedelta(seconds=asyncio.get_running_loop().time() - self._measured_at))

    async def _find(self) -> list[LatePostFound]:
        async with self._database.transaction() as session:
            now = await database_now(session)
            late_posts = await note_late(session, now - self._late_after, now, _BATCH)
        self._gauges.found_late(len(late_posts))
        for late in late_posts:
            log.warning(
                "post.late",
                post_id=late.post_id,
                workspace_id=late.workspace_id,
                workflow_id=late.workflow_id,
                due_at=rfc3339(late.due_at),
                late_s=_seconds(now - late.due_at),
                platforms=late.platforms,
            )
        return late_posts

    async def _end(self) -> list[LatePostEnded]:
        async with self._database.transaction() as session:
            over = await end_late(session, await database_now(session), _BATCH)
        for post in over:
            log.warning(
                "post.began_late" if post.begun_at else "post.never_began",
                post_id=post.post_id,
                workspace_id=post.workspace_id,
                workflow_id=post.workflow_id,
                due_at=rfc3339(post.due_at),
                late_s=_seconds(post.begun_at - post.due_at) if post.begun_at else None,
                status=post.status,
            )
        return over


def _seconds(how_long: timedelta) -> float:
    return round(how_long.total_seconds(), 1)
