"""A watch for late posts, which reports each twice: when it is found, and when it has begun.

The APIs ask for its lease as the workers do, because the workers may be the unavailable part.
"""

from datetime import timedelta

import structlog

from domain.post import LATE_AFTER
from domain.schedule import rfc3339
from reconcile.clock import ClockCheck
from reconcile.gauges import Gauges
from reconcile.readiness import Readiness
from reconcile.rounds import BackgroundTask
from store.accounts.renewals import ends_of_accounts
from store.apps.refusals import refused_apps
from store.campaigns.delivery import count_by_status
from store.clock import database_now
from store.database import Database
from store.maintenance.late_posts import LatePostEnded, LatePostFound, count_late, end_late, note_late
from store.maintenance.series import count_behind_series
from store.maintenance.waiting import count_waiting
from store.pauses.pauses import longest_with_missed
from store.posts.delivery import count_undelivered
from store.webhooks.keeping import measure_webhooks

log = structlog.get_logger(__name__)

EVERY_S = 5.0
WATCH = "watch"
"""The lease of the watch."""
WARNED_AHEAD = timedelta(days=7)
"""How long before a connection ends its account counts as expiring."""
_BATCH = 500


class LatePostWatch:
    """A watch that reports late posts."""

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
        self._clock = ClockCheck(database, self._gauges)

    def task(self) -> BackgroundTask:
        """Return the task that checks every few seconds."""

        async def check() -> None:
            if self._readiness and not self._gauges.off:
                self._gauges.parts(await self._readiness.parts())
            await self._clock.check()
            await self.check()

        return BackgroundTask(check, EVERY_S, "watch.postponed")

    async def check(self) -> None:
        """Report the posts that became late since the last check, and those that are no longer late."""
        while len(await self._find()) == _BATCH:
            pass
        while len(await self._end()) == _BATCH:
            pass
        if not self._gauges.off:
            await self._measure()

    async def _measure(self) -> None:
        async with self._database.reading() as session:
            now = await database_now(session)
            late = await count_late(session, now - self._late_after)
            undelivered = await count_undelivered(session, now)
            self._gauges.posts(late, undelivered.all, undelivered.behind, undelivered.turn_age)
            behind, _ = await count_behind_series(session, now)
            self._gauges.series_behind(behind)
            waiting = await count_waiting(session)
            self._gauges.waiting_targets({key: (group.count, now - group.since) for key, group in waiting.items()})
            longest = await longest_with_missed(session, now)
            self._gauges.pauses(await count_by_status(session), longest)
            self._gauges.api_versions(now.date())
            ends = await ends_of_accounts(session, now, WARNED_AHEAD)
            self._gauges.accounts(ends.expiring, ends.overdue)
            webhooks = await measure_webhooks(session, now)
            self._gauges.webhooks(webhooks.waiting, webhooks.overdue, webhooks.failing, webhooks.disabled)
            self._gauges.refused_apps([(app.platform, app.app_id, app.code) for app in await refused_apps(session)])

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
