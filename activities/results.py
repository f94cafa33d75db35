"""The effects of a platform's response on a target and its attempt log."""

from datetime import UTC, datetime, timedelta

from activities.errors import HOLD_REASONS, wait_before_retry
from activities.step_context import StepContext
from domain import transitions
from domain.attempts import AttemptResult, AttemptState, Claim
from domain.transitions import TargetTransition
from platforms.base import AnyPlatform, Published
from platforms.errors import CATEGORY, ErrorKind, PlatformError

DEFAULT_QUOTA_WAIT = timedelta(hours=1)
"""How long a target is held for its quota if neither the platform nor its rules say when the quota resets."""


def attempt_result(
    step: StepContext | None,
    state: AttemptState,
    decision: str,
    error: PlatformError | None = None,
    again_in: timedelta | None = None,
) -> AttemptResult:
    """Return the row for the attempt log: the result of the last exchange, and the decision about it."""
    last = step.exchanges[-1] if step and step.exchanges else None
    return AttemptResult(
        state,
        decision,
        http_status=(error.status if error else None) or (last.status if last else None),
        code=error.code if error else None,
        request_id=(error.request_id if error else None) or (last.request_id if last else None),
        request_sent=step is not None and step.connection.wire.public_requests > 0,
        claim=_claim_in(error) if error and error.kind is ErrorKind.UNCONFIRMED else None,
        next_attempt_at=None if again_in is None else datetime.now(UTC) + again_in,
    )


def _claim_in(error: PlatformError) -> Claim | None:
    return Claim(error.claim.message, CATEGORY[error.claim.kind]) if error.claim else None


def published(result: Published) -> TargetTransition:
    """Return the transition of a target that its platform has published."""
    return transitions.published(
        datetime.now(UTC), result.platform_post_id, result.url, result.editable_until, result.warning
    )


def refused(error: PlatformError) -> TargetTransition:
    """Return the transition of a target that fails with the platform's message."""
    return transitions.failed(error.message, error.code, CATEGORY[error.kind])


def tried_again(delay: timedelta, error: PlatformError) -> TargetTransition:
    """Return the transition of a target that is tried again after `delay`."""
    return transitions.tried_again(datetime.now(UTC) + delay, error.message, error.code, CATEGORY[error.kind])


def wait_while_held(error: PlatformError) -> timedelta | None:
    """Return how long a target is held; None if that depends on its owner or the operator."""
    return (error.retry_after or DEFAULT_QUOTA_WAIT) if error.kind is ErrorKind.CAPPED else None


def wait_for_next_try(error: PlatformError, tries_before: int = 0) -> timedelta:
    """Return the wait after a refusal before the next try; `tries_before`: refusals of earlier steps."""
    return wait_while_held(error) or wait_before_retry(error, tries_before)


def quota_used_up(platform: AnyPlatform, wait: timedelta) -> PlatformError:
    """Return the error of a target that is not sent because its account has used up its quota."""
    message = f"{platform.label} lets this account publish no more for now."
    return PlatformError(ErrorKind.CAPPED, message, code="platform_cap", retry_after=wait)


def held(error: PlatformError) -> TargetTransition:
    """Return the transition of a target that waits for its account, its account's quota or the operator."""
    wait = wait_while_held(error)
    until = None if wait is None else datetime.now(UTC) + wait
    return transitions.held(HOLD_REASONS[error.kind], until, error.message, error.code, CATEGORY[error.kind])
