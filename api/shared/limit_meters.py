"""Counters of limits, for the person on call."""

from temporalio.common import MetricMeter

from domain.request_limits import PolicyName


class LimitMeters:
    """The metrics of limits."""

    def __init__(self, meter: MetricMeter = MetricMeter.noop) -> None:
        self._refused = meter.create_counter(
            "socialsyncer_requests_refused", "Requests that were refused because a limit was used up, by policy"
        )
        self._uncounted = meter.create_counter(
            "socialsyncer_requests_uncounted",
            "Requests that were let through because the database could not count them",
        )
        for policy in PolicyName:
            self._refused.add(0, {"policy": policy.value})
        self._uncounted.add(0)

    def refused(self, policy: PolicyName) -> None:
        """Count a refusal."""
        self._refused.add(1, {"policy": policy.value})

    def uncounted(self) -> None:
        """Count a statement that failed."""
        self._uncounted.add(1)
