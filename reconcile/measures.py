"""The numbers of the service's state, read from the rows of all workspaces: the samples of its metrics."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import CampaignStatus
from domain.pauses import PauseScope
from domain.plan import WaitsFor
from platforms.registry import announced_ends, platforms
from store.accounts.renewals import ends_of_accounts
from store.apps import refused_apps
from store.campaigns.progress import count_by_status
from store.database import Database
from store.maintenance.late_posts import count_late
from store.maintenance.series import count_behind_series
from store.maintenance.transactions import oldest_transaction
from store.maintenance.waiting import count_waiting
from store.pauses.pauses import longest_with_missed
from store.posts.delivery import count_undelivered
from store.rows import database_now
from store.webhooks.logs import measure_webhooks

WARNED_AHEAD = timedelta(days=7)
"""How long before a connection ends its account counts as expiring."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of a gauge, by the gauge's name."""

    gauge: str
    value: int
    labels: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as the state's row has it."""
        return asdict(self)


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
