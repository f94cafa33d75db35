"""The metrics of waiting posts, as Prometheus reads them from each process that measures them."""

import time
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from temporalio.common import MetricMeter

from domain.campaigns import CampaignStatus
from domain.pauses import PauseScope
from domain.waits import WaitsFor
from platforms.registry import platforms
from platforms.versions import announced_ends


class Gauges:
    """The metrics of waiting posts. Every process that measures them reports the same values."""

    def __init__(self, meter: MetricMeter = MetricMeter.noop) -> None:
        self.off = meter is MetricMeter.noop
        self._late = meter.create_gauge(
            "socialsyncer_posts_late",
            "Posts that are late now: due longer ago than SOCIALSYNCER_LATE_AFTER_S, and not begun",
        )
        self._found_late = meter.create_counter(
            "socialsyncer_posts_found_late",
            "Posts that became late; each is counted by one process, so sum over processes",
        )
        self._undelivered = meter.create_gauge(
            "socialsyncer_posts_undelivered", "Posts whose newest version has not reached their workflow for 30 seconds"
        )
        self._behind = meter.create_gauge(
            "socialsyncer_posts_behind", "Posts whose workflow does not know their newest version yet"
        )
        self._turn_age = meter.create_gauge(
            "socialsyncer_bulk_turn_age_seconds",
            "Seconds for which posts of bulk operations have waited and no worker has delivered any",
        )
        self._series_behind = meter.create_gauge(
            "socialsyncer_series_behind",
            "Series that have lacked posts of their next 60 days for ten minutes or longer",
        )
        self._waiting = meter.create_gauge(
            "socialsyncer_targets_waiting", "Targets that are due and wait, by platform and what they wait for"
        )
        self._waiting_for = meter.create_gauge(
            "socialsyncer_targets_waiting_oldest_seconds",
            "Seconds that the longest waiting target has waited, by platform and what it waits for",
        )
        self._refused = meter.create_gauge(
            "socialsyncer_app_refused",
            "1 while a platform refuses an app of this service, 0 once it accepts it; by the platform's code",
        )
        self._ends = meter.create_gauge(
            "socialsyncer_api_version_days_left", "Days until a platform stops serving the version of its API in use"
        )
        self._webhooks_waiting = meter.create_gauge("socialsyncer_webhook_waiting", "Events that wait for endpoints")
        self._webhooks_overdue = meter.create_gauge(
            "socialsyncer_webhook_oldest_waiting_seconds",
            "Seconds for which the most overdue event for an endpoint that does not fail has been due",
        )
        self._webhooks_failing = meter.create_gauge(
            "socialsyncer_webhooks_failing", "Endpoints that have failed five times in a row, and are probed"
        )
        self._webhooks_disabled = meter.create_gauge(
            "socialsyncer_webhooks_disabled", "Endpoints that this service has switched off"
        )
        self._refusals: set[tuple[str, str, str]] = set()
        self._campaigns = meter.create_gauge("socialsyncer_campaigns", "Campaigns, by their status")
        self._paused_for = meter.create_gauge(
            "socialsyncer_pause_with_missed_posts_seconds",
            "Seconds for which the longest pause that has missed posts has lasted, by what is paused; 0 if none has",
        )
        self._expiring = meter.create_gauge(
            "socialsyncer_accounts_expiring",
            "Accounts whose connection ends within a week, or has ended, unless their owner reconnects them",
        )
        self._overdue = meter.create_gauge(
            "socialsyncer_renewals_overdue_seconds", "Seconds for which the most overdue renewal of tokens has been due"
        )
        self._up = meter.create_gauge("socialsyncer_part_up", "1 if a part that /statusz names is healthy, 0 if not")
        self._named: set[str] = set()
        self._skew = meter.create_gauge_float(
            "socialsyncer_clock_skew_seconds", "Seconds by which this machine's clock differs from the database's"
        )
        self._found_late.add(0)
        started = meter.create_gauge("socialsyncer_start_time_seconds", "Unix time at which the process was started")
        started.set(round(time.time()))

    def found_late(self, posts: int) -> None:
        """Count posts that were found late."""
        self._found_late.add(posts)

    def posts(self, late: int, undelivered: int, behind: int, turn_age: timedelta) -> None:
        """Set how many posts are late, should have been delivered to their workflows, and are not delivered yet.

        `turn_age`: how long those of bulk operations have got no turn.
        """
        self._late.set(late)
        self._undelivered.set(undelivered)
        self._behind.set(behind)
        self._turn_age.set(round(turn_age.total_seconds()))

    def series_behind(self, series: int) -> None:
        """Set how many series lack posts."""
        self._series_behind.set(series)

    def waiting_targets(self, targets: Mapping[tuple[str, WaitsFor], tuple[int, timedelta]]) -> None:
        """Set how many targets wait, and the longest time, by platform and reason."""
        for platform in platforms():
            for waits in WaitsFor:
                count, oldest = targets.get((platform, waits), (0, timedelta(0)))
                labels = {"platform": platform, "for": waits.value}
                self._waiting.set(count, labels)
                self._waiting_for.set(max(round(oldest.total_seconds()), 0), labels)

    def pauses(self, campaigns: Mapping[CampaignStatus, int], longest: Mapping[PauseScope, timedelta]) -> None:
        """Set how many campaigns have each status, and how long the longest pause with missed posts has lasted."""
        for status in CampaignStatus:
            self._campaigns.set(campaigns.get(status, 0), {"status": status.value})
        for scope in PauseScope:
            lasted = longest.get(scope, timedelta(0))
            self._paused_for.set(max(round(lasted.total_seconds()), 0), {"scope": scope.value})

    def webhooks(self, waiting: int, overdue: timedelta, failing: int, disabled: int) -> None:
        """Set how many events wait for endpoints, for how long one has been due, and how many endpoints fail."""
        self._webhooks_waiting.set(waiting)
        self._webhooks_overdue.set(round(overdue.total_seconds()))
        self._webhooks_failing.set(failing)
        self._webhooks_disabled.set(disabled)

    def refused_apps(self, refusals: Iterable[tuple[str, str, str]]) -> None:
        """Set which apps are refused now, as (platform, app id, code); an app that is accepted again becomes 0."""
        now = set(refusals)
        self._refusals |= now
        for platform, app_id, code in self._refusals:
            labels = {"platform": platform, "app": app_id, "code": code}
            self._refused.set(int((platform, app_id, code) in now), labels)

    def accounts(self, expiring: Mapping[str, int], overdue: timedelta) -> None:
        """Set how many accounts' connections end soon, by platform, and how late renewals are."""
        for platform in platforms():
            self._expiring.set(expiring.get(platform, 0), {"platform": platform})
        self._overdue.set(round(overdue.total_seconds()))

    def api_versions(self, today: date) -> None:
        """Set how many days are left of each API version whose end was announced; 0 once it has ended."""
        for version in announced_ends():
            labels = {"platform": version.platform, "version": version.name}
            # A gauge must not become negative.
            self._ends.set(max((version.until - today).days, 0), labels)

    def clock_skew(self, skew: timedelta) -> None:
        """Set by how much this machine's clock differs, in either direction: a gauge must not become negative."""
        self._skew.set(round(abs(skew.total_seconds()), 3))

    def parts(self, parts: Mapping[str, bool | int | str]) -> None:
        """Set which parts are healthy; a queue is named once it was missing."""
        healthy = {name: value for name, value in parts.items() if isinstance(value, bool)}
        self._named |= healthy.keys()
        for name in self._named:
            self._up.set(int(healthy.get(name, True)), {"part": name})
