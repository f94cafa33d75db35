"""The meaning of what a platform shows of a target's earlier sends, for the step that asked."""

from datetime import UTC, datetime, timedelta

from activities.step_context import StepContext
from domain import decisions
from domain.attempts import ROWS_LOST, WORKER_LOST, AttemptState
from domain.ownership import last_moment
from platforms.base import Absent, AnyPlatform, Finding, Published, Unknown
from platforms.errors import ANSWER_TOO_LARGE, PlatformError
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
