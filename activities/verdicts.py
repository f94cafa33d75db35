"""What a step's result writes into a target's row and into the attempt log."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.desk import Step
from domain.post import ErrorCategory, HoldReason, TargetStatus
from platforms.base import Network, Published
from platforms.errors import CATEGORY, Kind, NetworkError
from store.models import Target
from store.publishing import Note, forget_error, wait_from

Change = Callable[[Target], None]

UNTIL_ALLOWANCE = timedelta(hours=1)
"""How long a capped target waits where neither the network nor its module knows when the cap ends."""


def note(
    step: Step | None,
    state: str,
    decision: str,
    error: NetworkError | None = None,
    again_in: timedelta | None = None,
) -> Note:
    """Return the line for the attempt log: what the last exchange came to, and what was decided upon it."""
    last = step.last[-1] if step and step.last else None
    return Note(
        state,
        decision,
        http_status=(error.status if error else None) or (last.status if last else None),
        code=error.code if error else None,
        request_id=(error.request_id if error else None) or (last.request_id if last else None),
        next_attempt_at=None if again_in is None else datetime.now(UTC) + again_in,
    )


def taken_up(change: Change) -> Change:
    """Return a change of a target whose publishing a worker has taken up, however early it ended."""

    def changed(target: Target) -> None:
        target.begun_at = target.begun_at or datetime.now(UTC)
        change(target)

    return changed


def published(result: Published) -> Change:
    """Return the change that makes a target published."""

    def change(target: Target) -> None:
        forget_error(target)
        target.status = TargetStatus.PUBLISHED
        target.platform_post_id = result.platform_post_id
        target.platform_post_url = result.url
        target.editable_until = result.editable_until
        target.warning = result.warning
        target.published_at = datetime.now(UTC)

    return change


def unlisted(label: str) -> Change:
    """Return the change that makes a target published whose id its network does not tell."""

    def change(target: Target) -> None:
        forget_error(target)
        target.status = TargetStatus.PUBLISHED
        target.warning = (
            f"{label} says that the post is public and does not list it: its id and address are not known, "
            "and what follows a post, such as a first comment, was not added."
        )
        target.published_at = datetime.now(UTC)

    return change


def failed(message: str, code: str, category: ErrorCategory) -> Change:
    """Return the change that makes a target failed."""

    def change(target: Target) -> None:
        forget_error(target)
        target.status = TargetStatus.FAILED
        target.error = message
        target.error_code = code
        target.error_category = category
        target.retryable = category is not ErrorCategory.REJECTED

    return change


def refused(error: NetworkError) -> Change:
    """Return the change that makes a target failed with what the network said."""
    return failed(error.message, error.code, CATEGORY[error.kind])


def waiting(delay: timedelta, error: NetworkError | None = None) -> Change:
    """Return the change of a target that is tried again after `delay`; without an error it waits for its rate limit."""

    def change(target: Target) -> None:
        forget_error(target)
        target.status = TargetStatus.PUBLISHING
        target.next_attempt_at = datetime.now(UTC) + delay
        if error:
            target.error = error.message
            target.error_code = error.code
            target.error_category = CATEGORY[error.kind]
            target.retryable = False

    return change


def wait_while_held(error: NetworkError) -> timedelta | None:
    """Return how long a target is held where that is known: a cap ends by itself, reconnecting is its owner's to do."""
    return (error.retry_after or UNTIL_ALLOWANCE) if error.kind is Kind.CAPPED else None


def allowance_used_up(network: Network[Any, Any], wait: timedelta) -> NetworkError:
    """Say of a target that is not even tried that its account has published as much as its network allows."""
    message = f"{network.label} lets this account publish no more for now."
    return NetworkError(Kind.CAPPED, message, code="network_cap", retry_after=wait)


def looked_up_again(wait: timedelta) -> Change:
    """Return the change that tells when an unconfirmed target is looked up again."""

    def change(target: Target) -> None:
        target.next_attempt_at = datetime.now(UTC) + wait

    return change


def held(error: NetworkError) -> Change:
    """Return the change of a target that waits for its account, its account's quota or the operator."""

    def change(target: Target) -> None:
        forget_error(target)
        target.status = TargetStatus.HELD
        target.hold_reason = _HOLD_REASONS[error.kind]
        target.error = error.message
        target.error_code = error.code
        target.error_category = CATEGORY[error.kind]
        target.retryable = False
        wait = wait_while_held(error)
        target.next_attempt_at = None if wait is None else datetime.now(UTC) + wait

    return change


_HOLD_REASONS = {
    Kind.AUTH: HoldReason.RECONNECT,
    Kind.CAPPED: HoldReason.CAP,
    Kind.OPERATOR: HoldReason.OPERATOR,
}


def unconfirmed(code: str, message: str) -> Change:
    """Return the change of a target whose send may or may not have landed."""

    def change(target: Target) -> None:
        forget_error(target)
        target.status = TargetStatus.UNCONFIRMED
        target.looking = True
        target.error = f"{message} The post may be public; it is being looked up."
        target.error_code = code
        target.error_category = ErrorCategory.UNCONFIRMED
        target.retryable = False

    return change


def pending(target: Target) -> None:
    """Let a target that surely is not public be sent again."""
    forget_error(target)
    target.status = TargetStatus.PENDING
    wait_from(target, datetime.now(UTC))


def resting(target: Target) -> None:
    """Stop looking a target up: only a person can decide now."""
    target.looking, target.next_attempt_at = False, None
    target.error = "The network's answer was lost and the post could not be found or ruled out. Look at the account."
