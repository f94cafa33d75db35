"""The metrics of the service's state, read from the rows of all workspaces, and of this process, for Prometheus."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.common import MetricMeter

from domain.campaigns import CampaignStatus
from domain.pauses import PauseScope
from domain.plan import WaitsFor
from platforms.registry import announced_ends, platforms
from store.accounts.renewals import ends_of_accounts
from store.apps import REFUSED, refused_apps
from store.campaigns.progress import UNTOLD, count_by_status
from store.database import Database
from store.due import Due
from store.maintenance.series import BEHIND_SERIES, count_behind_series
from store.maintenance.servers import oldest_transaction
from store.maintenance.waiting import DUE_TARGETS, LATE_POSTS, NOT_BEGUN, count_late, count_waiting
from store.pauses.pauses import longest_with_missed
from store.posts.delivery import BEHIND, count_undelivered
from store.rows import database_now
from store.series.planning import TO_PLAN
from store.webhooks.logs import WAITING, measure_webhooks

_REFUSED = "socialsyncer_app_refused"
_OF_STATE = {
    "socialsyncer_posts_late": (
        "Posts that are late now: due longer ago than SOCIALSYNCER_LATE_AFTER_S, and not begun"
    ),
    "socialsyncer_posts_undelivered": "Posts whose newest version has not reached their workflow for 30 seconds",
    "socialsyncer_posts_behind": "Posts whose workflow does not know their newest version yet",
    "socialsyncer_bulk_turn_age_seconds": (
        "Seconds for which posts of bulk operations have waited and no worker has delivered any"
    ),
    "socialsyncer_series_behind": "Series that have lacked posts of their next 60 days for ten minutes or longer",
    "socialsyncer_targets_waiting": "Targets that are due and wait, by platform and what they wait for",
    "socialsyncer_targets_waiting_oldest_seconds": (
        "Seconds that the longest waiting target has waited, by platform and what it waits for"
    ),
    _REFUSED: "1 while a platform refuses an app of this service, 0 once it accepts it; by the platform's code",
    "socialsyncer_api_version_days_left": "Days until a platform stops serving the version of its API in use",
    "socialsyncer_webhook_waiting": "Events that wait for endpoints",
    "socialsyncer_webhook_oldest_waiting_seconds": (
        "Seconds for which the most overdue event for an endpoint that does not fail has been due"
    ),
    "socialsyncer_webhooks_failing": "Endpoints that have failed five times in a row, and are probed",
    "socialsyncer_webhooks_disabled": "Endpoints that this service has switched off",
    "socialsyncer_campaigns": "Campaigns, by their status",
    "socialsyncer_pause_with_missed_posts_seconds": (
        "Seconds for which the longest pause that has missed posts has lasted, by what is paused; 0 if none has"
    ),
    "socialsyncer_oldest_transaction_seconds": "Seconds for which the oldest transaction of the database has been open",
    "socialsyncer_accounts_expiring": (
        "Accounts whose connection ends within a week, or has ended, unless their owner reconnects them"
    ),
    "socialsyncer_renewals_overdue_seconds": ("Seconds for which the most overdue renewal of tokens has been due"),
}
"""The gauges that one process measures (reconcile.measures) and all export, with their descriptions."""


MEASURED_ROWS = (
    *(BEHIND, DUE_TARGETS, NOT_BEGUN, LATE_POSTS, TO_PLAN, BEHIND_SERIES, REFUSED, UNTOLD, WAITING),
    Due("oldest_transaction_v1() AS age", "age > interval '1 min'"),
)
"""The rows without which most of the numbers are zero, or stay the same."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of a gauge, by the gauge's name."""

    gauge: str
    value: int
    labels: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as the state's row has it."""
        return asdict(self)


class Gauges:
    """The metrics of the service's state, which all processes export alike, and of this process."""

    def __init__(self, meter: MetricMeter = MetricMeter.noop) -> None:
        self.off = meter is MetricMeter.noop
        self._of_state = {name: meter.create_gauge(name, description) for name, description in _OF_STATE.items()}
        self._refusals: set[tuple[tuple[str, str], ...]] = set()
        self._state_age = meter.create_gauge(
            "socialsyncer_state_age_seconds", "Seconds since a process has measured the state that this one exports"
        )
        self._found_late = meter.create_counter(
            "socialsyncer_posts_found_late",
            "Posts that became late; each is counted by one process, so sum over processes",
        )
        self._up = meter.create_gauge("socialsyncer_part_up", "1 if a part that /statusz names is healthy, 0 if not")
        self._named: set[str] = set()
        self._skew = meter.create_gauge_float(
            "socialsyncer_clock_skew_seconds", "Seconds by which this machine's clock differs from the database's"
        )
        self._uploads = meter.create_gauge(
            "socialsyncer_uploads_disk_bytes",
            "Bytes of the disk that uploads may still take, if they are in a directory",
        )
        self._found_late.add(0)
        started = meter.create_gauge("socialsyncer_start_time_seconds", "Unix time at which the process was started")
        started.set(round(time.time()))

    def found_late(self, posts: int) -> None:
        """Count posts that were found late."""
        self._found_late.add(posts)

    def export(self, samples: Iterable[Sample]) -> None:
        """Set the gauges of the service's state. Those of newer code are left out."""
        refused = set[tuple[tuple[str, str], ...]]()
        for sample in samples:
            if gauge := self._of_state.get(sample.gauge):
                gauge.set(sample.value, sample.labels)
            if sample.gauge == _REFUSED:
                refused.add(tuple(sample.labels.items()))
        # An app that is accepted again becomes 0.
        for labels in self._refusals - refused:
            self._of_state[_REFUSED].set(0, dict(labels))
        self._refusals |= refused

    def state_age(self, age: timedelta) -> None:
        """Set how old the state is that this process shows."""
        self._state_age.set(round(age.total_seconds()))

    def clock_skew(self, skew: timedelta) -> None:
        """Set by how much this machine's clock differs, in either direction: a gauge must not become negative."""
        self._skew.set(round(abs(skew.total_seconds()), 3))

    def room_for_uploads(self, room: int | None) -> None:
        """Set how many bytes uploads may still take, if the store knows."""
        if room is not None:
            self._uploads.set(room)

    def parts(self, parts: Mapping[str, bool | int | str]) -> None:
        """Set which parts are healthy; a queue is named once it was missing."""
        healthy = {name: value for name, value in parts.items() if isinstance(value, bool)}
        self._named |= healthy.keys()
        for name in self._named:
            self._up.set(int(healthy.get(name, True)), {"part": name})


WARNED_AHEAD = timedelta(days=7)
"""How long before a connection ends its account counts as expiring."""


async def measure(database: Database, late_after: timedelta) -> list[Sample]:
    """Return the samples of all gauges that do not differ between processes."""
    async with database.reading() as session:
        now = await database_now(session)
        return [
            *await _posts(session, now, late_after),
            *await _waiting_targets(session, now),
            *await _pauses(session, now),
            *await _accounts(session, now),
            *await _webhooks(session, now),
            Sample("socialsyncer_oldest_transaction_seconds", _seconds(await oldest_transaction(session))),
            *_api_versions(now),
        ]


async def _posts(session: AsyncSession, now: datetime, late_after: timedelta) -> list[Sample]:
    undelivered = await count_undelivered(session, now)
    behind, _ = await count_behind_series(session, now)
    return [
        Sample("socialsyncer_posts_late", await count_late(session, now - late_after)),
        Sample("socialsyncer_posts_undelivered", undelivered.all),
        Sample("socialsyncer_posts_behind", undelivered.behind),
        Sample("socialsyncer_bulk_turn_age_seconds", _seconds(undelivered.turn_age)),
        Sample("socialsyncer_series_behind", behind),
    ]


async def _waiting_targets(session: AsyncSession, now: datetime) -> list[Sample]:
    waiting, samples = await count_waiting(session), list[Sample]()
    for platform in platforms():
        for waits in WaitsFor:
            group, labels = waiting.get((platform, waits)), {"platform": platform, "for": waits.value}
            samples.append(Sample("socialsyncer_targets_waiting", group.count if group else 0, labels))
            oldest = _seconds(now - group.since) if group else 0
            samples.append(Sample("socialsyncer_targets_waiting_oldest_seconds", oldest, labels))
    return samples


async def _pauses(session: AsyncSession, now: datetime) -> list[Sample]:
    campaigns, longest = await count_by_status(session), await longest_with_missed(session, now)
    lasted = {scope: _seconds(longest.get(scope, timedelta(0))) for scope in PauseScope}
    return [
        *(
            Sample("socialsyncer_campaigns", campaigns.get(status, 0), {"status": status.value})
            for status in CampaignStatus
        ),
        *(
            Sample("socialsyncer_pause_with_missed_posts_seconds", lasted[scope], {"scope": scope.value})
            for scope in PauseScope
        ),
    ]


async def _accounts(session: AsyncSession, now: datetime) -> list[Sample]:
    ends = await ends_of_accounts(session, now, WARNED_AHEAD)
    return [
        *(
            Sample("socialsyncer_accounts_expiring", ends.expiring.get(name, 0), {"platform": name})
            for name in platforms()
        ),
        Sample("socialsyncer_renewals_overdue_seconds", _seconds(ends.overdue)),
        *(
            Sample("socialsyncer_app_refused", 1, {"platform": app.platform, "app": app.app_id, "code": app.code})
            for app in await refused_apps(session)
        ),
    ]


async def _webhooks(session: AsyncSession, now: datetime) -> list[Sample]:
    webhooks = await measure_webhooks(session, now)
    return [
        Sample("socialsyncer_webhook_waiting", webhooks.waiting),
        Sample("socialsyncer_webhook_oldest_waiting_seconds", _seconds(webhooks.overdue)),
        Sample("socialsyncer_webhooks_failing", webhooks.failing),
        Sample("socialsyncer_webhooks_disabled", webhooks.disabled),
    ]


def _api_versions(now: datetime) -> Iterator[Sample]:
    """Yield the days that are left of each API version whose end was announced; 0 once it has ended."""
    for version in announced_ends():
        labels = {"platform": version.platform, "version": version.name}
        yield Sample("socialsyncer_api_version_days_left", max((version.until - now.date()).days, 0), labels)


def _seconds(duration: timedelta) -> int:
    """Return whole seconds: a gauge must not become negative."""
    return max(round(duration.total_seconds()), 0)
