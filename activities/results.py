"""The effects of a platform's response on a target and its attempt log, and what it shows of earlier sends."""

from datetime import UTC, datetime, timedelta

from activities.errors import HOLD_REASONS, wait_before_retry
from activities.step_context import StepContext
from domain import decisions, transitions
from domain.attempts import ROWS_LOST, WORKER_LOST, AttemptResult, AttemptState, Claim
from domain.ownership import last_moment
from domain.transitions import TargetTransition
from platforms.base import Absent, AnyPlatform, Finding, Published, Unknown
from platforms.errors import ANSWER_TOO_LARGE, CATEGORY, ErrorKind, PlatformError
from platforms.http.wire import TIMED_OUT
from store.database import Database
from store.failures import persist
from store.models import Attempt
from store.publishing.claims import claim_public_post
from store.publishing.targets import LoadedTarget

LONGEST_BEFORE_RESEND = timedelta(minutes=10)
"""The longest absence that is required before a resend, unless the platform's reads lag behind for longer."""


def look_in(sent: Attempt | None, platform: AnyPlatform, now: datetime) -> timedelta:
    """Return how long to wait until a post whose last send was refused is looked for; zero or less if it can be now.

    The platform may have published it all the same, and its lists may not show it before `read_lag`. If the refusal
    itself has set the time of the next try, that counts. Waiting cannot help if the content was refused.
    """
    if sent is None or sent.state != AttemptState.REFUSED or sent.decision == decisions.CONTENT_REFUSED:
        return timedelta(0)
    if sent.http_status is None or sent.finished_at is None:
        return timedelta(0)
    shown_at = sent.finished_at + platform.read_lag
    return min(shown_at, sent.next_attempt_at or shown_at) - now


async def looked_up(step: StepContext) -> Finding:
    """Return what the platform shows of the earlier sends. Raises PlatformError."""
    try:
        return await step.platform.confirm(step.connection, step.context)
    except PlatformError as error:
        if error.code != ANSWER_TOO_LARGE:
            raise
        return Unknown(is_cut=True)


async def claimed(database: Database, loaded: LoadedTarget, finding: Finding) -> Finding:
    """Return a finding that can be trusted: no public post belongs to two of our targets."""
    if not isinstance(finding, Published):
        return finding

    async def claim() -> bool:
        async with database.answers.transaction() as session:
            return await claim_public_post(session, loaded, finding.platform_post_id)

    return finding if await persist(claim) else Unknown()


def may_be_sent(finding: Absent, sent: Attempt, step: StepContext, unconfirmed_sends: int) -> bool:
    """Return whether a post that the platform does not show was surely not published.

    After a refusal that is trusted, one look is enough.
    """
    if finding.never_sent or sent.state == AttemptState.REFUSED:
        return True
    return datetime.now(UTC) - _processed_until(sent, step) >= _required_absence(step, unconfirmed_sends)


def _processed_until(sent: Attempt, step: StepContext) -> datetime:
    """Return until when the platform can have published an unconfirmed send; its reads may lag behind that."""
    lost = sent.code in {WORKER_LOST, ROWS_LOST}
    left_until = last_moment(sent.started_at, sent.finished_at, worker_lost=lost)
    if sent.http_status is not None or sent.code == TIMED_OUT:
        # The platform responded, or its response was awaited for the full time-out.
        return left_until
    return left_until + step.platform.may_still_work(step.context.draft)


def _required_absence(step: StepContext, unconfirmed_sends: int) -> timedelta:
    """Return how long a post must be absent before it is sent again: twice as long after each unconfirmed send.

    Otherwise a platform that loses every response for an hour would get hundreds of sends of each post.
    """
    first = step.platform.read_lag
    return max(first, min(first * (1 << min(max(unconfirmed_sends - 1, 0), 10)), LONGEST_BEFORE_RESEND))


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
