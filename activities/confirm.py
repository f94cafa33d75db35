"""Confirmation of sends whose response was lost."""

import functools
from datetime import UTC, datetime

import structlog
from temporalio import activity

from activities import results
from activities.apps import RefusedAccounts
from activities.commands import ConfirmCommand, TargetCommand
from activities.complete import completed
from activities.heartbeat import heartbeating
from activities.meters import Meters
from activities.results import LONGEST_BEFORE_RESEND, claimed, looked_up, may_be_sent
from activities.step_context import StepContext, StepContextFactory
from domain import decisions, transitions
from domain.attempts import ROWS_LOST, AttemptResult, AttemptState, Claim
from domain.ownership import TOLERANCE
from domain.plan import STALE, Outcome
from domain.post import TargetStatus
from domain.transitions import ConfirmationOf, TargetTransition
from platforms.base import Absent, Published, Refused, Unknown, Unlisted
from platforms.errors import ANSWER_TOO_LARGE, ErrorKind, PlatformError
from store.database import Database
from store.failures import persist
from store.models import Attempt
from store.publishing.claims import posts_of_other_targets
from store.publishing.sending import open_target, settle
from store.publishing.targets import count_unconfirmed_sends

log = structlog.get_logger(__name__)


def _again(command: ConfirmCommand) -> TargetTransition | None:
    return None if command.again_in is None else transitions.still_unconfirmed(datetime.now(UTC) + command.again_in)


def _claimed_refusal(sent: Attempt, due_at: datetime | None) -> TargetTransition | None:
    """Return the transition of a target whose send was refused, as its answer claims; None if it claims nothing.

    A claim counts once: a retry sets a later `due_at`, and asks for another send.
    """
    if sent.claim is None or (due_at and sent.started_at < due_at - TOLERANCE):
        return None
    claim = Claim.from_json(sent.claim)
    return transitions.failed(claim.message, sent.code or "", claim.category)


def _decide_unknown(
    finding: Unknown, sent: Attempt, refusal: TargetTransition | None, label: str
) -> tuple[str, TargetTransition | None]:
    """Return the decision on a send of which nothing is known, and the transition if asking again is useless."""
    is_cut = finding.is_cut and not finding.final
    if is_cut and datetime.now(UTC) - sent.started_at < LONGEST_BEFORE_RESEND:
        # It may not be listed yet. Later it is only further down in the list.
        return decisions.CUT_OFF, None
    if not is_cut and not finding.final:
        return "not known yet; confirming again", None
    if refusal:
        return decisions.REFUSED_UNREAD, refusal
    if is_cut:
        error = f"{label} lists more posts than are read of its response, and this one is not among those."
        return decisions.PERSON_MUST_DECIDE, transitions.resting(error, ANSWER_TOO_LARGE)
    return decisions.PERSON_MUST_DECIDE, transitions.resting()


class Confirming:
    """The activity that confirms unconfirmed targets."""

    def __init__(
        self, database: Database, contexts: StepContextFactory, refused_accounts: RefusedAccounts, meters: Meters
    ) -> None:
        self._database = database
        self._contexts = contexts
        self._refused_accounts = refused_accounts
        self._meters = meters

    @activity.defn
    async def confirm(self, command: ConfirmCommand) -> Outcome:
        """Find out whether an unconfirmed send was published. Changes nothing on the platform."""
        async with heartbeating():
            loaded = await open_target(self._database, command.target_id)
            async with self._database.reading() as session:
                taken = (
                    await posts_of_other_targets(session, loaded.target, loaded.sent_since) if loaded else frozenset()
                )
                unconfirmed_sends = await count_unconfirmed_sends(session, command.target_id)
            if loaded is None:
                return STALE
            if loaded.target.status != TargetStatus.UNCONFIRMED or loaded.sent is None:
                return loaded.outcome
            confirmation, step = ConfirmationOf(loaded.sent.id, datetime.now(UTC)), None
            try:
                step = self._contexts.create(loaded)
                step.context.taken = taken
                step.context = step.for_confirmation()
                if loaded.sent.code == ROWS_LOST:
                    step.context.ended_at = loaded.sent.finished_at
                finding = await looked_up(step)
                finding = await claimed(self._database, loaded, finding)
            except PlatformError as error:
                await self._hold_account(step, error)
                decision = "could not confirm; trying again"
                unread = results.attempt_result(step, AttemptState.REFUSED, decision, error, command.again_in)
                return await self._write_finding(command, confirmation, unread, _again(command))
            result: AttemptResult | None = results.attempt_result(step, AttemptState.DONE, decisions.PUBLIC)
            incomplete = False
            if isinstance(finding, Published):
                finding, incomplete = await completed(step, finding)
                transition: TargetTransition | None = results.published(finding)
            else:
                result, transition = self._decide(
                    command, step, finding, loaded.sent, loaded.target.due_at, unconfirmed_sends
                )
            outcome = await self._write_finding(command, confirmation, result, transition)
            return outcome.model_copy(update={"incomplete": incomplete})

    async def _hold_account(self, step: StepContext | None, error: PlatformError) -> None:
        """Hold all posts of the account if the platform refuses it, so that its owner learns to reconnect it."""
        if step and error.kind is ErrorKind.AUTH:
            error = await self._refused_accounts.verify(step, error)
            if error.kind is ErrorKind.AUTH:
                await self._refused_accounts.hold(step, error)

    def _decide(
        self,
        command: ConfirmCommand,
        step: StepContext,
        finding: Absent | Unknown | Refused | Unlisted,
        sent: Attempt,
        due_at: datetime | None,
        unconfirmed_sends: int,
    ) -> tuple[AttemptResult | None, TargetTransition | None]:
        """Decide on a send that the platform did not return: the attempt to log and the target's change, if any."""
        again, refusal = command.again_in, _claimed_refusal(sent, due_at)
        done = functools.partial(results.attempt_result, step, AttemptState.DONE)
        if isinstance(finding, Absent) and sent.code == ROWS_LOST and not step.platform.finds_without_handles:
            # The handles of the send, by which this platform finds a post, are lost with the rows.
            finding = Unknown(final=True)
        match finding:
            case Absent() if may_be_sent(finding, sent, step, unconfirmed_sends):
                unread = finding.is_unread
                # A platform that refuses a repeat by naming the first post is asked once more: that may tell.
                if refusal and (not unread or unconfirmed_sends > 1):
                    return done(decisions.REFUSED_UNREAD if unread else decisions.REFUSED_AFTER_ALL), refusal
                decision = decisions.SENT_AGAIN_UNREAD if unread else decisions.SENT_AGAIN
                return done(decision), transitions.pending(datetime.now(UTC))
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
            case Unknown():
                decision, transition = _decide_unknown(finding, sent, refusal, step.platform.label)
                return done(decision, None, None if transition else again), transition or _again(command)

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
