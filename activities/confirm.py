"""Confirmation of sends whose response was lost."""

import functools
from datetime import UTC, datetime, timedelta

import structlog
from temporalio import activity

from activities import results
from activities.commands import ConfirmCommand, TargetCommand
from activities.complete import completed
from activities.heartbeat import heartbeating
from activities.persist import persist
from activities.step_context import StepContext, StepContextFactory
from domain import decisions, transitions
from domain.attempts import ROWS_LOST, WORKER_LOST, AttemptResult, AttemptState
from domain.outcome import STALE, Outcome
from domain.ownership import last_moment
from domain.post import TargetStatus
from domain.transitions import ConfirmationOf, TargetTransition
from platforms.base import Absent, Finding, Published, Refused, Unknown, Unlisted
from platforms.errors import PlatformError
from platforms.http.wire import TIMED_OUT
from store.models import Attempt
from store.publishing.claims import claim_public_post, posts_of_other_targets
from store.publishing.sending import open_target, settle
from store.publishing.targets import LoadedTarget, count_unconfirmed_sends

LONGEST_BEFORE_RESEND = timedelta(minutes=10)
"""The longest absence that is required before a resend, unless the platform's reads lag behind for longer."""

log = structlog.get_logger(__name__)


def _again(command: ConfirmCommand) -> TargetTransition | None:
    return None if command.again_in is None else transitions.still_unconfirmed(datetime.now(UTC) + command.again_in)


def _processed_until(sent: Attempt, step: StepContext) -> datetime:
    """Return until when the platform can have published an unconfirmed send; its reads may lag behind that."""
    lost = sent.code in {WORKER_LOST, ROWS_LOST}
    left = last_moment(sent.started_at, sent.finished_at, worker_lost=lost)
    if sent.http_status is not None or sent.code == TIMED_OUT:
        # The platform responded, or its response was awaited for the full time-out.
        return left
    return left + step.platform.may_still_work(step.context.draft)


def _required_absence(step: StepContext, unconfirmed_sends: int) -> timedelta:
    """Return how long a post must be absent before it is sent again: twice as long after each unconfirmed send.

    Otherwise a platform that loses every response for an hour would get hundreds of sends of each post.
    """
    first = step.platform.read_lag
    return max(first, min(first * (1 << min(max(unconfirmed_sends - 1, 0), 10)), LONGEST_BEFORE_RESEND))


def _is_absent_long_enough(sent: Attempt, step: StepContext, unconfirmed_sends: int) -> bool:
    return datetime.now(UTC) - _processed_until(sent, step) >= _required_absence(step, unconfirmed_sends)


class Confirming:
    """The activity that confirms unconfirmed targets."""

    def __init__(self, factory: StepContextFactory) -> None:
        self._factory = factory
        self._database = factory.database
        self._meters = factory.meters

    @activity.defn
    async def confirm(self, command: ConfirmCommand) -> Outcome:
        """Find out whether an unconfirmed send was published. Changes nothing on the platform."""
        async with heartbeating():
            loaded = await open_target(self._database, command.target_id)
            async with self._database.reading() as session:
                taken = (
                    await posts_of_other_targets(session, loaded.target, loaded.unconfirmed_since)
                    if loaded
                    else frozenset()
                )
                unconfirmed_sends = await count_unconfirmed_sends(session, command.target_id)
            if loaded is None:
                return STALE
            if loaded.target.status != TargetStatus.UNCONFIRMED or loaded.sent is None:
                return loaded.outcome
            confirmation, step = ConfirmationOf(loaded.sent.id, datetime.now(UTC)), None
            try:
                step = self._factory.create(loaded)
                step.context.taken = taken
                if loaded.sent.code == ROWS_LOST:
                    step.context.ended_at = loaded.sent.finished_at
                finding = await self._claimed(loaded, await step.platform.confirm(step.connection, step.context))
            except PlatformError as error:
                decision = "could not confirm; trying again"
                unread = results.attempt_result(step, AttemptState.REFUSED, decision, error, command.again_in)
                return await self._write_finding(command, confirmation, unread, _again(command))
            result: AttemptResult | None = results.attempt_result(step, AttemptState.DONE, decisions.PUBLIC)
            incomplete = False
            if isinstance(finding, Published):
                finding, incomplete = await completed(step, finding)
                transition: TargetTransition | None = results.published(finding)
            else:
                result, transition = self._decide(command, step, finding, loaded.sent, unconfirmed_sends)
            outcome = await self._write_finding(command, confirmation, result, transition)
            return outcome.model_copy(update={"incomplete": incomplete})

    async def _claimed(self, loaded: LoadedTarget, finding: Finding) -> Finding:
        """Return a finding that can be trusted: no public post belongs to two of our targets."""
        if not isinstance(finding, Published):
            return finding

        async def claimed() -> bool:
            async with self._database.answers.transaction() as session:
                return await claim_public_post(session, loaded, finding.platform_post_id)

        return finding if await persist(claimed) else Unknown()

    def _decide(
        self,
        command: ConfirmCommand,
        step: StepContext,
        finding: Absent | Unknown | Refused | Unlisted,
        sent: Attempt,
        unconfirmed_sends: int,
    ) -> tuple[AttemptResult | None, TargetTransition | None]:
        """Decide on a send that the platform did not return: the attempt to log and the target's change, if any."""
        again = command.again_in
        done = functools.partial(results.attempt_result, step, AttemptState.DONE)
        if isinstance(finding, Absent) and sent.code == ROWS_LOST and not step.platform.finds_without_handles:
            # The handles of the send, by which this platform finds a post, are lost with the rows.
            finding = Unknown(final=True)
        match finding:
            case Absent() if finding.never_sent or _is_absent_long_enough(sent, step, unconfirmed_sends):
                return done(decisions.SENT_AGAIN), transitions.pending(datetime.now(UTC))
            case Absent() if not step.exchanges:
                return None, _again(command)
            case Absent():
                return done("not public yet; confirming again", None, again), _again(command)
            case Refused(error):
                result = results.attempt_result(step, AttemptState.REFUSED, decisions.REFUSED_LATER, error)
                return result, results.refused(error)
            case Unlisted():
                result = done(decisions.PUBLIC_UNLISTED)
                return result, transitions.unlisted(datetime.now(UTC), step.platform.label)
            case Unknown(final=True):
                return done(decisions.PERSON_MUST_DECIDE), transitions.resting()
            case _:
                return done("not known yet; confirming again", None, again), _again(command)

    async def _write_finding(
        self,
        command: TargetCommand,
        confirmation: ConfirmationOf,
        result: AttemptResult | None,
        transition: TargetTransition | None,
    ) -> Outcome:
        settled = await persist(
            lambda: settle(self._database.answers, command.target_id, confirmation, transition, result)
        )
        outcome = settled.outcome
        if not outcome.confirming:
            self._meters.record_outcome(command.platform, outcome)
        log.info(
            "target.confirm_attempt",
            platform=command.platform,
            decision=result.decision if result else "nothing to ask yet",
        )
        return outcome
