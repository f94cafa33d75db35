"""Confirm sends whose answer was lost."""

import functools
from datetime import UTC, datetime, timedelta

import structlog
from temporalio import activity

from activities import verdicts
from activities.commands import ConfirmCommand, TargetCommand
from activities.complete import completed
from activities.desk import Desk, Step
from activities.heartbeat import beating
from activities.persist import persist
from domain import decisions, transitions
from domain.attempts import ROWS_LOST, WORKER_LOST, AttemptResult, AttemptState
from domain.outcome import STALE, Outcome
from domain.ownership import last_moment
from domain.post import TargetStatus
from domain.transitions import ConfirmationOf, TargetTransition
from platforms.base import Absent, Finding, Published, Refused, Unknown, Unlisted
from platforms.errors import PlatformError
from platforms.http.wire import TIMED_OUT
from store.claims import claim, posts_of_other_targets
from store.models import Attempt
from store.publishing import Job, count_unconfirmed_sends
from store.sending import open_target, settle

LONGEST_BEFORE_RESEND = timedelta(minutes=10)

log = structlog.get_logger(__name__)


def _again(command: ConfirmCommand) -> TargetTransition | None:
    return None if command.again_in is None else transitions.still_unconfirmed(datetime.now(UTC) + command.again_in)


def _worked_at_until(sent: Attempt, step: Step) -> datetime:
    """Return until when the network can have published an unconfirmed send; its reads may lag behind that."""
    lost = sent.code in {WORKER_LOST, ROWS_LOST}
    left = last_moment(sent.started_at, sent.finished_at, worker_lost=lost)
    if sent.http_status is not None or sent.code == TIMED_OUT:
        # The network had ended with it, or was waited for as long as that.
        return left
    return left + step.platform.may_still_work(step.sending.draft)


def _believed_after(step: Step, unconfirmed_sends: int) -> timedelta:
    """Return how long a post must have been absent before it is sent again: twice as long after each unconfirmed send.

    A network that loses every answer for an hour would get hundreds of sends of each post otherwise.
    """
    first = step.platform.believes_absence_after
    return max(first, min(first * (1 << min(max(unconfirmed_sends - 1, 0), 10)), LONGEST_BEFORE_RESEND))


def _is_believed_by_now(sent: Attempt, step: Step, unconfirmed_sends: int) -> bool:
    return datetime.now(UTC) - _worked_at_until(sent, step) >= _believed_after(step, unconfirmed_sends)


class Confirming:
    """Find out what became of targets that are unconfirmed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._database = desk.database
        self._meters = desk.meters

    @activity.defn
    async def confirm(self, command: ConfirmCommand) -> Outcome:
        """Find out whether an unconfirmed send was published. Changes nothing on the network."""
        async with beating():
            job = await open_target(self._database, command.target_id)
            async with self._database.reading() as session:
                taken = await posts_of_other_targets(session, job.target, job.unconfirmed_since) if job else frozenset()
                unconfirmed_sends = await count_unconfirmed_sends(session, command.target_id)
            if job is None:
                return STALE
            if job.target.status != TargetStatus.UNCONFIRMED or job.sent is None:
                return job.outcome
            confirmation, step = ConfirmationOf(job.sent.id, datetime.now(UTC)), None
            try:
                step = self._desk.open(job)
                step.sending.taken = taken
                if job.sent.code == ROWS_LOST:
                    step.sending.ended_at = job.sent.finished_at
                finding = await self._claimed(job, await step.platform.confirm(step.connection, step.sending))
            except PlatformError as error:
                decision = "could not confirm; trying again"
                unread = verdicts.note(step, AttemptState.REFUSED, decision, error, command.again_in)
                return await self._write_finding(command, confirmation, unread, _again(command))
            note: AttemptResult | None = verdicts.note(step, AttemptState.DONE, decisions.PUBLIC)
            incomplete = False
            if isinstance(finding, Published):
                finding, incomplete = await completed(step, finding)
                change: TargetTransition | None = verdicts.published(finding)
            else:
                note, change = self._judge(command, step, finding, job.sent, unconfirmed_sends)
            outcome = await self._write_finding(command, confirmation, note, change)
            return outcome.model_copy(update={"incomplete": incomplete})

    async def _claimed(self, job: Job, finding: Finding) -> Finding:
        """Return a finding as it may be believed: no post that is found is two of ours."""
        if not isinstance(finding, Published):
            return finding

        async def claimed() -> bool:
            async with self._database.answers.transaction() as session:
                return await claim(session, job, finding.platform_post_id)

        return finding if await persist(claimed) else Unknown()

    def _judge(
        self,
        command: ConfirmCommand,
        step: Step,
        finding: Absent | Unknown | Refused | Unlisted,
        sent: Attempt,
        unconfirmed_sends: int,
    ) -> tuple[AttemptResult | None, TargetTransition | None]:
        """Decide on an unconfirmed send that the network does not show; no note if nothing was asked or decided."""
        again = command.again_in
        done = functools.partial(verdicts.note, step, AttemptState.DONE)
        if isinstance(finding, Absent) and sent.code == ROWS_LOST and not step.platform.finds_unaided:
            # What the send left behind, by which this network finds a post, is lost with the rows.
            finding = Unknown(final=True)
        match finding:
            case Absent() if finding.never_sent or _is_believed_by_now(sent, step, unconfirmed_sends):
                return done(decisions.SENT_AGAIN), transitions.pending(datetime.now(UTC))
            case Absent() if not step.last:
                return None, _again(command)
            case Absent():
                return done("not public yet; confirming again", None, again), _again(command)
            case Refused(error):
                told = verdicts.note(step, AttemptState.REFUSED, decisions.REFUSED_LATER, error)
                return told, verdicts.refused(error)
            case Unlisted():
                told = done(decisions.PUBLIC_UNLISTED)
                return told, transitions.unlisted(datetime.now(UTC), step.platform.label)
            case Unknown(final=True):
                return done(decisions.PERSON_MUST_DECIDE), transitions.resting()
            case _:
                return done("cannot be told yet; confirming again", None, again), _again(command)

    async def _write_finding(
        self,
        command: TargetCommand,
        confirmation: ConfirmationOf,
        note: AttemptResult | None,
        change: TargetTransition | None,
    ) -> Outcome:
        settled = await persist(lambda: settle(self._database.answers, command.target_id, confirmation, change, note))
        outcome = settled.outcome
        if not outcome.confirming:
            self._meters.came_to(command.platform, outcome)
        log.info(
            "target.confirm_attempt",
            platform=command.platform,
            decision=note.decision if note else "nothing to ask yet",
        )
        return outcome
