"""Counters of targets' outcomes, for the person on call."""

from datetime import timedelta

from temporalio.common import MetricMeter

from accounts.credentials.renewal_outcomes import RenewalOutcome
from domain.attempts import ROWS_LOST
from domain.plan import Outcome
from domain.post import RESULTS, TargetStatus
from domain.preflight import PreflightReason
from platforms.registry import platforms

LATENESS = "socialsyncer_publish_lateness_seconds"
LATENESS_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 14400, 86400)
"""Seconds. One is normal, a minute is late, a day is the default of `publishWithin`."""


class Meters:
    """The metrics of the steps towards platforms. Every series exists from the start, so that it can rise."""

    def __init__(self, meter: MetricMeter = MetricMeter.noop) -> None:
        self._lateness = meter.create_histogram_float(
            LATENESS, "Seconds from when a target was due until a worker started it", "s"
        )
        self._settled = meter.create_counter(
            "socialsyncer_targets_settled", "Targets that became published, failed or unconfirmed; again after a retry"
        )
        self._held = meter.create_counter(
            "socialsyncer_targets_held", "How often targets became held: for their account or for the operator"
        )
        self._unconfirmed = meter.create_counter(
            "socialsyncer_sends_unconfirmed", "Sends whose answer was lost and that had to be confirmed"
        )
        self._renewals = meter.create_counter(
            "socialsyncer_renewals", "Renewals of accounts' tokens by outcome; `operator`: the platform refused the app"
        )
        self._preflight = meter.create_counter(
            "socialsyncer_preflight_warnings",
            "Targets found before their time that cannot be published as they are, by reason",
        )
        self._unreadable = meter.create_gauge(
            "socialsyncer_accounts_unreadable", "Accounts encrypted with a key that this worker does not have"
        )
        self._deliveries = meter.create_counter(
            "socialsyncer_webhook_deliveries", "Requests to endpoints of clients by outcome: delivered or failed"
        )
        self._media_disk = meter.create_gauge(
            "socialsyncer_media_disk_bytes", "Bytes that media may take on this worker's disk now"
        )
        for outcome in ("delivered", "failed"):
            self._deliveries.add(0, {"outcome": outcome})
        for platform in platforms():
            for reason in PreflightReason:
                self._preflight.add(0, {"platform": platform, "reason": reason.value})
            for outcome in RenewalOutcome:
                self._renewals.add(0, {"platform": platform, "outcome": outcome.value})
            for status in RESULTS:
                self._settled.add(0, {"platform": platform, "status": status.value})
            self._held.add(0, {"platform": platform})
            self._unconfirmed.add(0, {"platform": platform})

    def record_delivery(self, *, delivered: bool) -> None:
        """Count a request to an endpoint."""
        self._deliveries.add(1, {"outcome": "delivered" if delivered else "failed"})

    def record_unreadable_accounts(self, count: int) -> None:
        """Set how many accounts are encrypted with a key that this worker does not have."""
        self._unreadable.set(count)

    def record_media_disk(self, room: int) -> None:
        """Set how many bytes media may take on the disk."""
        self._media_disk.set(room)

    def record_renewal(self, platform: str, outcome: RenewalOutcome) -> None:
        """Count a renewal by its outcome."""
        self._renewals.add(1, {"platform": platform, "outcome": outcome.value})

    def record_preflight_warning(self, platform: str, reason: PreflightReason) -> None:
        """Count a warning about a target that is not due yet."""
        self._preflight.add(1, {"platform": platform, "reason": reason.value})

    def record_start(self, platform: str, late: timedelta) -> None:
        """Record how long after its due time a worker began a target."""
        # Clocks differ: another machine's clock may have said that it was due.
        self._lateness.record(max(0.0, late.total_seconds()), {"platform": platform})

    def record_outcome(self, platform: str, outcome: Outcome) -> None:
        """Record the state that a step has given a target."""
        if outcome.stale:
            return
        if outcome.status is TargetStatus.HELD:
            self._held.add(1, {"platform": platform})
        elif outcome.confirming:
            if outcome.error_code == ROWS_LOST:
                # After a restore, targets are confirmed that nothing was sent for.
                return
            self._unconfirmed.add(1, {"platform": platform})
        elif outcome.status in RESULTS:
            self._settled.add(1, {"platform": platform, "status": outcome.status.value})
