"""The metrics of the service's state and of this process, as Prometheus reads them."""

import time
from collections.abc import Iterable, Mapping
from datetime import timedelta

from temporalio.common import MetricMeter

from reconcile.measures import Sample

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
