"""The effects of a failed renewal on the account, and the time of the next try."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from accounts.facts import LOST, pause_after
from platforms.access.renewal import TokenRules
from platforms.access.token_endpoint import UNREADABLE
from platforms.errors import ANSWER_TOO_LARGE, ErrorKind, PlatformError
from store.accounts.renewals import Lease

_EXPIRED = "connection_expired"
_PAUSE_OF_APPS = timedelta(minutes=15)
_LOST_ON_THE_WAY = frozenset({"timed_out", "connection_lost", ANSWER_TOO_LARGE, UNREADABLE})
_BEHIND_A_GATEWAY = frozenset({500, 502, 504})
"""Statuses of a gateway's responses after which the server behind it may have renewed the tokens all the same."""


class RenewalOutcome(StrEnum):
    """The outcome of a renewal of an account's tokens."""

    RENEWED = "renewed"
    REFUSED = "refused"
    """Refused for good: the owner must reconnect the account."""
    FAILED = "failed"
    """It is tried again."""
    OPERATOR = "operator"
    """The platform refuses the operator's app."""


RecordRenewal = Callable[[str, RenewalOutcome], None]
"""Counts the outcome of a platform's renewal."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The next try, None if there is none before the account is reconnected, and the outcome for metrics."""

    again_at: datetime | None
    outcome: RenewalOutcome


def failure_after(error: PlatformError, failures: int) -> Failure:
    """Return the result of a failure, the `failures`th in a row."""
    if error.kind is ErrorKind.AUTH:
        return Failure(None, RenewalOutcome.REFUSED)
    pause = pause_after(failures)
    if error.kind is ErrorKind.OPERATOR:
        pause = max(pause, _PAUSE_OF_APPS)
    pause = max(pause, error.retry_after or pause)
    outcome = RenewalOutcome.OPERATOR if error.kind is ErrorKind.OPERATOR else RenewalOutcome.FAILED
    return Failure(datetime.now(UTC) + pause, outcome)


def may_have_renewed(error: PlatformError) -> bool:
    """Return whether a platform may have made new tokens although none arrived."""
    return error.code in _LOST_ON_THE_WAY or error.status in _BEHIND_A_GATEWAY


def as_refusal(error: PlatformError, lease: Lease, rules: TokenRules, label: str) -> PlatformError:
    """Return the refusal of a token with the reason that this service knows.

    On platforms without refresh tokens, an expired token cannot be renewed, however they word it. After an interrupted
    renewal, the platform refuses the old token because it has issued new ones.
    """
    ends = lease.account.expires_at
    if rules.renews_itself and ends is not None and ends <= datetime.now(UTC) and (error.status or 500) < 500:
        message = f"This connection has ended: {label} lets it last {rules.lifetime.days} days. Reconnect the account."
        return PlatformError(ErrorKind.AUTH, message, code=_EXPIRED, status=error.status)
    if error.kind is ErrorKind.AUTH and lease.unsure_since is not None and rules.rotates:
        message = (
            f"{label} no longer accepts this account's connection: a renewal was interrupted before its answer could "
            "be stored. Reconnect the account."
        )
        return PlatformError(ErrorKind.AUTH, message, code=LOST, status=error.status)
    return error
