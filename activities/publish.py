"""The way of one target until it is public. Each step may be run again at any point; none sends blindly."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities import verdicts
from activities.commands import TargetCommand
from activities.complete import completed
from activities.desk import Desk, Step
from activities.errors import HELD, give_slot_back, refused, time_left, try_again, wait_before_retry, wait_for_turn
from activities.fence import Fence, Stopwatch
from activities.heartbeat import beating
from activities.media.admission import MediaBusy
from activities.moment import after_a_moment
from activities.options import lookup_waits
from activities.pacing import NotYet, Pacing
from activities.persist import persist
from activities.refused_accounts import judge_refusal
from domain import decisions, transitions
from domain.attempts import WORKER_LOST, AttemptResult, AttemptState, AttemptStep
from domain.audit import WORKER, Action, Line
from domain.outcome import STALE, Outcome
from domain.ownership import Send, judge_send, wait_until_due
from domain.post import RESULTS, TargetStatus
from domain.transitions import TargetTransition
from platforms.base import Network, Published
from platforms.errors import DUPLICATE, PASSING, Kind, NetworkError
from platforms.registry import networks
from store.accounts import accept_account, refuse_account
from store.audit import add_unless_said
from store.models import Attempt, Target
from store.publishing import (
    Job,
    begin_send,
    close_attempt,
    finished_step,
    load,
    outcome_of,
    settle,
    still_sending,
)
from store.sending import Publication, begin_at_once, open_at_once, settle_at_once, take_up
from store.twins import claim, others_posts

log = structlog.get_logger(__name__)

_HELD_UNTIL = {
    Kind.AUTH: decisions.HELD_FOR_ACCOUNT,
    Kind.CAPPED: decisions.HELD_FOR_ACCOUNT,
    Kind.OPERATOR: decisions.HELD_FOR_OPERATOR,
}


def _stands(job: Job) -> bool:
    return job.target.status in RESULTS or (job.sent is not None and job.sent.state == AttemptState.SENDING)


def _held(target: Target) -> Line:
    """Return the line of the audit trail for a target that is held without an attempt."""
    named = ((target.platform, target.account_id),)
    return Line(Action.HELD, WORKER, targets=named, details=(("code", target.error_code),))


def _sooner(wait: timedelta) -> timedelta:
    """Return a wait that leaves time for another try before the step's time is over."""
    return max(min(wait, time_left() / 2), timedelta(0))


class _Unwanted(Exception):
    """The end of a step because of what its post's row says: its result, as the workflow is told it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.status)
        self.outcome = outcome


def _require_wanted(job: Job | None, command: TargetCommand) -> Job:
    """Return the rows of a target that may be published now. Raises _Unwanted."""
    now = datetime.now(UTC)
    match judge_send(job.row if job else None, command.version, now):
        case Send.GO if job:
            return job
        case Send.EARLY if job:
            early = wait_until_due(job.row, now)
            log.info("target.early", platform=command.platform, seconds=early.total_seconds())
            raise _Unwanted(outcome_of(job.target).model_copy(update={"early": early}))
        case _:
            raise _Unwanted(STALE)


async def _finished(sending: Coroutine[Any, Any, Published]) -> Published:
    """Return what a send came to, even if an operator cancels the workflow meanwhile: then the rows can be honest."""
    task = asyncio.create_task(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        if details is None or not details.cancel_requested:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        return await task


def _next_try(network: Network[Any, Any], error: NetworkError) -> timedelta:
    return verdicts.wait_while_held(error) or wait_before_retry(network, error)


class Publishing:
    """Prepare and publish targets."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._database = desk.database
        self._pacing = Pacing(desk.database, on=desk.paced)
        self._meters = desk.meters

    @activity.defn
    async def prepare(self, command: TargetCommand) -> Outcome:
        """Upload and build ahead of time what publishing will need. What is refused here is tried again when due."""
        async with beating() as progress:
            async with self._database.transaction() as session:
                job = await load(session, command.target_id)
            if job is None or job.target.status != TargetStatus.PENDING:
                return STALE if job is None else outcome_of(job.target)
            step: Step | None = None
            try:
                step = self._desk.open(job, progress.append)
                await self._pacing.before_preparing(step)
                prepared = await self._prepare(step)
                await step.keeper.flush()
                if prepared:
                    async with self._database.transaction() as session:
                        session.add(prepared)
            except NotYet as turn:
                if turn.wait < time_left():
                    raise wait_for_turn(networks()[command.platform], turn.wait) from turn
            except MediaBusy as busy:
                raise give_slot_back(networks()[command.platform], busy, _sooner(busy.wait)) from busy
            except NetworkError as error:
                await self._not_prepared(command, step, error)
            return outcome_of(job.target)

    async def _not_prepared(self, command: TargetCommand, step: Step | None, error: NetworkError) -> None:
        """Note why a target could not be prepared ahead; raise for Temporal if the step is to be run again."""
        network = networks()[command.platform]
        if error.kind is Kind.AUTH and step:
            error = await judge_refusal(self._desk, step, error)
        delay = _next_try(network, error)
        await self._pacing.refused(step, error, delay, sending=False)
        if error.kind in PASSING:
            raise try_again(network, error, delay) from error
        # Found out before it is due, this may be mended in time.
        if error.kind is Kind.AUTH and step:
            await self._refuse_account(step, error)
        if error.kind is Kind.OPERATOR and step:
            await self._desk.apps.refuse(step.account, error)
        await persist(lambda: self._warn(command, step, error))
        log.info("prepare.refused", code=error.code)

    async def _warn(self, command: TargetCommand, step: Step | None, error: NetworkError) -> None:
        """Write down why a target could not be prepared, unless the post was changed or the target begun since."""
        note = verdicts.note(step, AttemptState.REFUSED, "tried again when the post is due", error)
        async with self._database.answers.transaction() as session:
            job = await load(session, command.target_id, lock=True)
            if job is None or job.post.version != command.version or job.target.status != TargetStatus.PENDING:
                return
            job.target.warning, job.post.updated_at = error.message, datetime.now(UTC)
            session.add(finished_step(command.target_id, AttemptStep.PREPARE, datetime.now(UTC), note))

    @activity.defn
    async def publish(self, command: TargetCommand) -> Outcome:
        """Make a target public by one request that is never repeated while its effect is unclear.

        What has not been prepared ahead is prepared first.
        """
        async with beating() as progress:
            step: Step | None = None
            try:
                step = await self._open(command, progress)
                prepared = await self._made_ready(command, step) if step else None
                written = Stopwatch()
                begun = await self._begin(command, step, prepared)
            except _Unwanted as unwanted:
                return unwanted.outcome
            except NotYet as turn:
                return await self._wait_for_turn(command, step, turn)
            except MediaBusy as busy:
                return await self._wait_for_media(command, busy)
            except NetworkError as error:
                return await self._refused(command, error, step)
            if step is None or isinstance(begun, Outcome):
                return begun if isinstance(begun, Outcome) else STALE
            step.connection.wire.fence = Fence(self._database.answers, begun.id, written)
            return await self._send(command, step, begun)

    async def _keep(self, command: TargetCommand, published: Published) -> None:
        """Keep the answer to a repeat, for which a network may name a post that it has already.

        Raises NetworkError(unclear) where that is another of ours.
        """

        async def keep() -> bool:
            async with self._database.answers.transaction() as session:
                job = await load(session, command.target_id)
                return job is None or await claim(session, job, published.platform_post_id, by_likeness=False)

        if not await persist(keep):
            raise NetworkError(Kind.UNCLEAR, "The network named another post.", code=DUPLICATE)

    async def _open(self, command: TargetCommand, progress: list[str]) -> Step | None:
        """Open a target for sending; None if it stands somewhere already. Raises _Unwanted, NetworkError."""
        job, taken = await open_at_once(self._database, command.target_id), frozenset[str]()
        if job is None:
            async with self._database.reading() as session:
                if job := await load(session, command.target_id):
                    taken = await others_posts(session, job.target, job.unclear_since)
        job = _require_wanted(job, command)
        if _stands(job):
            return None
        if job.target.begun_at is None and job.target.due_at:
            self._meters.taken_up(command.platform, datetime.now(UTC) - job.target.due_at)
        if job.account and job.account.refused_at:
            raise NetworkError(Kind.AUTH, job.account.refusal or "", code=job.account.refusal_code or "")
        step = self._desk.open(job, progress.append)
        self._desk.apps.check(step.account, step.refusal_applies, job.target.released_at)
        step.sending.taken = taken
        step.called_double = job.sent is not None and job.sent.code == DUPLICATE
        # The rules were checked when the post was made; the account or the limits may be others by now.
        if broken := step.network.violations(step.sending.draft, step.connection.account):
            raise NetworkError(Kind.REJECTED, broken[0].error, code=broken[0].code)
        return step

    async def _begin(self, command: TargetCommand, step: Step | None, prepared: Attempt | None) -> Attempt | Outcome:
        """Take a target for its one send, unless it stands somewhere already. Raises _Unwanted, NetworkError."""
        if step and (
            attempt := await begin_at_once(
                self._database, command.target_id, command.version, prepared, *step.keeper.waiting()
            )
        ):
            step.keeper.handed_over()
            return attempt
        async with self._database.transaction() as session:
            job = _require_wanted(await load(session, command.target_id, lock=True), command)
            if step is None or _stands(job):
                return await self._standing(session, job)
            job.target.handles = step.keeper.hand_over(job.target.handles)
            if prepared:
                session.add(prepared)
            return await begin_send(session, job)

    async def _standing(self, session: AsyncSession, job: Job) -> Outcome:
        """Return where the target stands; a send that was left behind becomes unclear."""
        if job.target.status not in RESULTS and job.sent and job.sent.state == AttemptState.SENDING:
            # Whoever wrote this may have died after the request went out, or may still be waiting for the answer.
            code = job.sent.code or WORKER_LOST
            decision = (
                job.sent.decision or "the worker was lost while sending; looking on the network before anything else"
            )
            await close_attempt(session, job.sent.id, AttemptResult(AttemptState.UNCLEAR, decision, code=code))
            change = transitions.unconfirmed(code, "The network's answer was lost.")
            outcome = await settle(session, job.target.id, change)
            self._meters.came_to(job.target.platform, outcome)
            return outcome
        return outcome_of(job.target)

    async def _made_ready(self, command: TargetCommand, step: Step) -> Attempt | None:
        """Prepare a target once it is its turn. Raises NotYet, NetworkError."""
        await self._pacing.before_publishing(step)
        async with after_a_moment(lambda: take_up(self._database, command.target_id, command.version)):
            prepared = await self._prepare(step)
        try:
            await self._pacing.before_sending(step)
        except NotYet:
            await step.keeper.flush()
            raise
        step.keeper.deferring = True
        await step.network.choose(step.sending)
        step.keeper.deferring = False
        return prepared

    async def _wait_for_turn(self, command: TargetCommand, step: Step | None, turn: NotYet) -> Outcome:
        """Write down that a target waits for its account's turn: held where that may take hours or comes too late."""
        network, held = networks()[command.platform], turn.capped or turn.wait > time_left()
        change = transitions.waiting(datetime.now(UTC) + turn.wait)
        if held:
            change = verdicts.held(verdicts.allowance_used_up(network, turn.wait))
        prepared: AttemptResult | None = None
        if step and step.last:
            prepared = verdicts.note(step, AttemptState.DONE, "ready, and waiting for its account's turn")
        try:
            outcome = await persist(lambda: self._put_off(command, change, prepared))
        except _Unwanted as unwanted:
            return unwanted.outcome
        if outcome.status is TargetStatus.HELD:
            self._meters.came_to(command.platform, outcome)
        log.info("target.paced", platform=command.platform, status=outcome.status, seconds=turn.wait.total_seconds())
        return outcome

    async def _wait_for_media(self, command: TargetCommand, busy: MediaBusy) -> Outcome:
        """Raise for Temporal to run the step again after other media of the workspace; no attempt is noted."""
        delay = _sooner(busy.wait)
        try:
            outcome = await persist(lambda: self._put_off(command, verdicts.tried_again(delay, busy)))
        except _Unwanted as unwanted:
            return unwanted.outcome
        if outcome.stale or outcome.status in RESULTS:
            return outcome
        log.info("target.waits_for_media", platform=command.platform, seconds=delay.total_seconds())
        raise give_slot_back(networks()[command.platform], busy, delay) from busy

    async def _put_off(
        self, command: TargetCommand, change: TargetTransition, prepared: AttemptResult | None = None
    ) -> Outcome:
        """Write that a target goes on later, and what was prepared of it. Raises _Unwanted."""
        async with self._database.answers.transaction() as session:
            job = _require_wanted(await load(session, command.target_id, lock=True), command)
            outcome = await settle(session, command.target_id, change)
            if outcome.status is TargetStatus.HELD:
                await add_unless_said(session, job.post, _held(job.target))
            if prepared and not outcome.stale:
                session.add(finished_step(command.target_id, AttemptStep.PREPARE, datetime.now(UTC), prepared))
            return outcome

    async def _prepare(self, step: Step) -> Attempt | None:
        """Prepare a target; return the line for its attempt log, none where nothing had to be asked of the network."""
        started = datetime.now(UTC)
        step.keeper.deferring = True
        try:
            await step.check_media()
            if step.network.prepares(step.sending.draft):
                await step.network.prepare(step.connection, step.sending)
        except BaseException:
            await step.keeper.flush()
            raise
        finally:
            step.keeper.deferring = False
        if not step.last:
            return None
        ready = verdicts.note(step, AttemptState.DONE, decisions.READY)
        return finished_step(step.sending.target_id, AttemptStep.PREPARE, started, ready)

    async def _send(self, command: TargetCommand, step: Step, attempt: Attempt) -> Outcome:
        asked_before = step.sending.started_at is not None
        step.sending.started_at = step.sending.started_at or attempt.started_at
        step.keeper.going_public = step.media.sends = True
        try:
            published = await _finished(step.network.publish(step.connection, step.sending))
            if asked_before:
                await self._keep(command, published)
        except NetworkError as error:
            # A network that calls the repeat of an unclear send a duplicate has the first one after all: said again,
            # though the look-up did not find it, it means another.
            landed = asked_before and error.code == DUPLICATE and not step.called_double
            if error.kind is not Kind.UNCLEAR and not landed:
                return await self._refused(command, error, step, attempt)
            soon = next(lookup_waits())
            note = verdicts.note(step, AttemptState.UNCLEAR, "looking on the network before anything else", error, soon)
            return await self._close(command, attempt, note, transitions.unconfirmed(error.code, error.message))
        step.connection.wire.fence = None
        note = verdicts.note(step, AttemptState.DONE, decisions.PUBLISHED)
        published, incomplete = await completed(step, published)
        outcome = await self._close(command, attempt, note, verdicts.published(published), published)
        await self._pacing.answered(step)
        await self._desk.apps.accept(step.account, step.refusal_applies)
        if step.account.refusals:
            async with self._database.answers.transaction() as session:
                await accept_account(session, step.account, published=True)
        return outcome.model_copy(update={"incomplete": incomplete})

    async def _close(
        self,
        command: TargetCommand,
        attempt: Attempt | None,
        note: AttemptResult,
        change: TargetTransition,
        published: Published | None = None,
    ) -> Outcome:
        """Write down what a step came to: the target, its post and the attempt in one transaction."""

        async def write() -> Outcome:
            if attempt and published:
                public = Publication(
                    published.platform_post_id, published.url, published.editable_until, published.warning
                )
                if done := await settle_at_once(self._database.answers, command.target_id, attempt.id, public, note):
                    return done
            async with self._database.answers.transaction() as session:
                if attempt is None:
                    job = _require_wanted(await load(session, command.target_id, lock=True), command)
                    if _stands(job):
                        # Another run of this step has sent it meanwhile, and only what that came to counts.
                        return await self._standing(session, job)
                    session.add(finished_step(command.target_id, AttemptStep.PREPARE, datetime.now(UTC), note))
                elif not published:
                    # Given up meanwhile, it is looked up or written off: only that it is public would be news.
                    now = await load(session, command.target_id, lock=True)
                    if now is None or not await still_sending(session, attempt.id):
                        return outcome_of(now.target) if now else STALE
                # The post's row is locked first, as everywhere.
                outcome = await settle(session, command.target_id, change)
                if attempt is not None:
                    await close_attempt(session, attempt.id, note)
                return outcome

        try:
            outcome = await persist(write)
        except _Unwanted as unwanted:
            return unwanted.outcome
        self._meters.came_to(command.platform, outcome)
        log.info(
            "target.step",
            platform=command.platform,
            status=outcome.status,
            decision=note.decision,
            code=note.code,
            http_status=note.http_status,
        )
        return outcome

    async def _refused(
        self, command: TargetCommand, error: NetworkError, step: Step | None = None, attempt: Attempt | None = None
    ) -> Outcome:
        """Write down a definite refusal; raise for Temporal where the step shall be run again."""
        network = networks()[command.platform]
        if error.kind is Kind.AUTH and step:
            error = await judge_refusal(self._desk, step, error)
        delay = _next_try(network, error)
        if error.kind in HELD and (not step or error.kind is not Kind.AUTH or await self._refuse_account(step, error)):
            if error.kind is Kind.OPERATOR and step:
                await self._desk.apps.refuse(step.account, error)
            wait = verdicts.wait_while_held(error)
            note = verdicts.note(step, AttemptState.REFUSED, _HELD_UNTIL[error.kind], error, wait)
            outcome = await self._close(command, attempt, note, verdicts.held(error))
            await self._pacing.refused(step, error, delay, sending=attempt is not None)
            return outcome
        if error.kind not in PASSING | HELD:
            # Its owner may mend a file where it is before trying again.
            self._desk.forget_files(command.post_id)
            note = verdicts.note(step, AttemptState.REFUSED, decisions.FAILED, error)
            outcome = await self._close(command, attempt, note, verdicts.refused(error))
            if outcome.status is TargetStatus.FAILED:
                raise refused(network, error, outcome) from error
            return outcome
        note = verdicts.note(step, AttemptState.REFUSED, f"trying again in {delay.total_seconds():.0f} s", error, delay)
        outcome = await self._close(command, attempt, note, verdicts.tried_again(delay, error))
        if outcome.stale or outcome.early or outcome.status in RESULTS:
            return outcome
        await self._pacing.refused(step, error, delay, sending=attempt is not None)
        raise try_again(network, error, delay) from error

    async def _refuse_account(self, step: Step, error: NetworkError) -> bool:
        """Hold all posts of an account that its network refuses; False where it was reconnected meanwhile."""

        async def refuse() -> bool:
            async with self._database.answers.transaction() as session:
                used = step.account.credentials
                return await refuse_account(session, step.account, used, error.message, error.code)

        noted = await persist(refuse)
        log.warning("account.refused", account_id=step.account.id, code=error.code, noted=noted)
        return noted
