"""The only module that converts a platform's errors into Temporal's."""

import random
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.heartbeat import count_waiting_tries, note_waiting_try
from activities.options import FIRST_RETRY, LONGEST_RETRY
from domain.plan import KEY_MISSING, NO_DISK_SPACE, Outcome
from domain.post import HoldReason
from domain.printable import system_words
from media.admission import MediaBusy
from platforms.base import AnyPlatform
from platforms.errors import ErrorKind, PlatformError

HOLD_REASONS = {
    ErrorKind.AUTH: HoldReason.RECONNECT,
    ErrorKind.CAPPED: HoldReason.CAP,
    ErrorKind.OPERATOR: HoldReason.OPERATOR,
}
"""The refusals that hold a target, instead of failing it, and the reason that its row gets."""
_EXPECTED = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.NOT_READY})
_REPORTED_ELSEWHERE = frozenset({KEY_MISSING, NO_DISK_SPACE, "unreachable"})
"""Codes of failures that the target's row and an alert of their own report."""
_SPREAD = 0.2


def count_tries(tries_before: int = 0) -> int:
    """Return how often in a row the step has been tried, this try included; `tries_before` counts earlier steps."""
    # A try that only waited for its rate limit, or for other media of its workspace, does not count.
    return tries_before + activity.info().attempt - count_waiting_tries()


def wait_before_retry(error: PlatformError, tries_before: int = 0) -> timedelta:
    """Return the wait that the platform asks for, otherwise an exponential one with jitter, within its bounds."""
    if error.retry_after is not None:
        return error.retry_after
    tries = count_tries(tries_before)
    doubled: timedelta = FIRST_RETRY * 2 ** min(max(tries - 1, 0), 20)
    return min(doubled, LONGEST_RETRY) * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311


def time_left() -> timedelta:
    """Return how long the step may still be tried; it is not tried again after that."""
    info = activity.info()
    if not info.schedule_to_close_timeout:
        return timedelta.max
    return info.scheduled_time + info.schedule_to_close_timeout - datetime.now(UTC)


def shortened(wait: timedelta) -> timedelta:
    """Return a wait that leaves time for another try before the step's time is over."""
    return max(min(wait, time_left() / 2), timedelta(0))


def final_error(platform: AnyPlatform, error: PlatformError, outcome: Outcome) -> ApplicationError:
    """Return the error that ends a step for good: red in the Web UI, with the outcome for the workflow."""
    return ApplicationError(
        f"{platform.label}: {error.kind} ({error.code})",
        outcome,
        type=error.kind,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


def rate_limited_error(platform: AnyPlatform, wait: timedelta) -> ApplicationError:
    """Return the error that makes Temporal run a step again once the account's rate limit allows it."""
    note_waiting_try()
    return ApplicationError(
        f"{platform.label}: its account's rate limit allows the next request in {wait.total_seconds():.0f} s",
        type="rate_limited",
        next_retry_delay=wait,
        category=ApplicationErrorCategory.BENIGN,
    )


def retry_error(platform: AnyPlatform, error: PlatformError, delay: timedelta | None = None) -> ApplicationError:
    """Return the error that makes Temporal run the step again after `delay`, by default the usual wait.

    It contains only our own words and the platform's code: it stays in the history, which must not contain content.
    """
    # Temporal's SDK logs and counts all others, with a trace each: they are faults of this service.
    expected = (
        error.kind in _EXPECTED
        or isinstance(error, MediaBusy)
        or error.status is not None
        or error.code in _REPORTED_ELSEWHERE
    )
    words = system_words(error)
    return ApplicationError(
        f"{platform.label}: {error.kind} ({error.code})" + (f", {words}" if words else ""),
        type=error.kind,
        next_retry_delay=wait_before_retry(error) if delay is None else delay,
        category=ApplicationErrorCategory.BENIGN if expected else ApplicationErrorCategory.UNSPECIFIED,
    )


def media_busy_error(platform: AnyPlatform, busy: MediaBusy, delay: timedelta) -> ApplicationError:
    """Return the error that makes Temporal run a step again after `delay`, when other media have been fetched."""
    note_waiting_try()
    return ApplicationError(
        f"{platform.label}: other media of the workspace are fetched first",
        type=busy.code,
        next_retry_delay=delay,
        category=ApplicationErrorCategory.BENIGN,
    )
