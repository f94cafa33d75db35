"""The result of a step that publishes a target, written to the target's rows."""

from datetime import UTC, datetime, timedelta

import structlog

from activities import results
from activities.apps import Apps, RefusedAccounts
from activities.commands import TargetCommand
from activities.errors import (
    HOLD_REASONS,
    count_tries,
    final_error,
    media_busy_error,
    retry_error,
    shortened,
    time_left,
)
from activities.meters import Meters
from activities.options import LONGEST_WAIT_IN_STEP
from activities.rate_limiting import RateLimited, RateLimiter
from activities.step_context import StepContext
from domain import decisions, transitions
from domain.attempts import WORKER_LOST, AttemptResult, AttemptState
from domain.audit import WORKER, Action, AuditEntry
from domain.codes import PAUSED
from domain.ownership import SendDecision, decide_send, wait_until_due
from domain.plan import STALE, Outcome
from domain.post import RESULTS, TargetStatus
from domain.schedule import rfc3339
from domain.transitions import AnswerTo, Basis, BeforeSend, TargetTransition, WriteResult
from media.admission import MediaBusy
from media.shared_files import SharedFiles
from platforms.errors import DUPLICATE, PASSING, ErrorKind, PlatformError
from platforms.registry import platforms
from store.database import Database
from store.failures import persist
from store.models import Attempt
from store.publishing.sending import open_target, settle
from store.publishing.targets import LoadedTarget

log = structlog.get_logger(__name__)

_LOST = "the worker was lost while sending; confirming on the platform before anything else"


def another_post() -> PlatformError:
    """Return the error of an answer that names the post of another target."""
    return PlatformError(ErrorKind.UNCONFIRMED, "The platform named another post.", code=DUPLICATE)


class StepResults:
    """A writer of the results of publish steps: refused, held, waiting, or settled by a platform's answer."""

    def __init__(
        self,
        database: Database,
        rate_limiter: RateLimiter,
        refused_accounts: RefusedAccounts,
        apps: Apps,
        files: SharedFiles,
        meters: Meters,
    ) -> None:
        self._database = database
        self._rate_limiter = rate_limiter
        self._refused_accounts = refused_accounts
        self._apps = apps
        self._files = files
        self._meters = meters

    async def current_outcome(self, command: TargetCommand, loaded: LoadedTarget | None = None) -> Outcome:
        """Return the state of a target that may not be sent; a send whose worker was lost becomes unconfirmed."""
        loaded = loaded or await open_target(self._database.answers, command.target_id)
        now = datetime.now(UTC)
        match decide_send(loaded.row if loaded else None, command.version, now):
            case SendDecision.EARLY if loaded:
                early = wait_until_due(loaded.row, now)
                log.info("target.early", platform=command.platform, seconds=early.total_seconds())
                return loaded.outcome.model_copy(update={"early": early})
            case SendDecision.GO if loaded and loaded.target.status in RESULTS:
                return loaded.outcome
            case SendDecision.GO if loaded and loaded.sent and not loaded.is_free:
                # The run that wrote this attempt may have died after the request, or may still wait for the response.
                code = loaded.sent.code or WORKER_LOST
                lost = AttemptResult(AttemptState.UNCONFIRMED, loaded.sent.decision or _LOST, code=code)
                unconfirmed = transitions.unconfirmed(code, "The platform's answer was lost.")
                return await self.settle(command, AnswerTo(loaded.sent.id), unconfirmed, lost)
            case _:
                return STALE

    async def settle(
        self,
        command: TargetCommand,
        basis: Basis,
        transition: TargetTransition,
        result: AttemptResult | None = None,
        entry: AuditEntry | None = None,
    ) -> Outcome:
        """Write the result of the step; return the target's state after that.

        Raises PlatformError(unconfirmed) if the platform's answer names the post of another target.
        """
        answers = self._database.answers
        settled = await persist(lambda: settle(answers, command.target_id, basis, transition, result, entry))
        if settled.write is WriteResult.MADE:
            self._meters.record_outcome(command.platform, settled.outcome)
        elif settled.write is WriteResult.CLAIMED:
            raise another_post()
        elif isinstance(basis, BeforeSend):
            # The post has changed, or another run of this step has sent it: the present state of the rows counts.
            return await self.current_outcome(command)
        return settled.outcome

    async def settle_and_log(
        self, command: TargetCommand, basis: Basis, transition: TargetTransition, result: AttemptResult
    ) -> Outcome:
        """Write the result of the step and log it; return the target's state after that."""
        outcome = await self.settle(command, basis, transition, result)
        log.info(
            "target.step",
            platform=command.platform,
            status=outcome.status,
            decision=result.decision,
            code=result.code,
            http_status=result.http_status,
        )
        return outcome

    async def hold_for_pause(self, command: TargetCommand, prepared: AttemptResult | None) -> Outcome:
        """Save that a target waits for the end of a pause. Its time to be published stands still meanwhile."""
        # No attempt is written for this hold, so the audit trail needs an entry for the history.
        entry = AuditEntry(Action.HELD, WORKER, details=(("code", PAUSED),))
        outcome = await self.settle(command, BeforeSend(command.version), transitions.paused(), prepared, entry)
        log.info("target.held_for_a_pause", platform=command.platform, status=outcome.status)
        return outcome

    async def wait_for_slot(self, command: TargetCommand, step: StepContext | None, limited: RateLimited) -> Outcome:
        """Save that a target waits for its account's rate limit: held if that may take hours or ends too late."""
        transition, entry = transitions.waiting(datetime.now(UTC) + limited.wait), None
        if limited.capped or limited.wait > time_left():
            used_up = results.quota_used_up(platforms()[command.platform], limited.wait)
            # No attempt is written for this hold, so the audit trail needs an entry for the history.
            transition, entry = (
                results.held(used_up),
                AuditEntry(Action.HELD, WORKER, details=(("code", used_up.code),)),
            )
        prepared: AttemptResult | None = None
        if step and step.exchanges:
            prepared = results.attempt_result(
                step, AttemptState.DONE, "ready, and waiting for its account's rate limit"
            )
        outcome = await self.settle(command, BeforeSend(command.version), transition, prepared, entry)
        log.info(
            "target.rate_limited",
            platform=command.platform,
            status=outcome.status,
            seconds=limited.wait.total_seconds(),
        )
        return outcome.model_copy(update={"tries": command.tries})

    async def wait_for_media(self, command: TargetCommand, busy: MediaBusy) -> Outcome:
        """Save that a target waits for other media of its workspace, and raise for Temporal to run the step again.

        No attempt is written.
        """
        delay = shortened(busy.wait)
        outcome = await self.settle(command, BeforeSend(command.version), results.tried_again(delay, busy))
        if outcome.did_nothing or outcome.status in RESULTS:
            return outcome
        log.info("target.waits_for_media", platform=command.platform, seconds=delay.total_seconds())
        raise media_busy_error(platforms()[command.platform], busy, delay) from busy

    async def wait_until_shown(self, command: TargetCommand, refused: Attempt, wait: timedelta) -> Outcome:
        """Save that a target is not looked for, and sent again, before its platform would show a refused send.

        Raises for Temporal to end the step if its time is over before that.
        """
        platform, at, in_time = platforms()[command.platform], datetime.now(UTC) + wait, wait < time_left()
        again = "It is sent again" if in_time else f"It can be sent again at {rfc3339(at)},"
        message = (
            f"{platform.label} has refused it lately. {again} once {platform.label} would show a post that it took."
        )
        transition = transitions.looked_for_later(at, message, refused.code or "")
        outcome = await self.settle(command, BeforeSend(command.version), transition)
        log.info("target.waits_until_shown", platform=command.platform, seconds=wait.total_seconds())
        if in_time or outcome.did_nothing or outcome.status in RESULTS:
            return outcome.model_copy(update={"tries": command.tries})
        raise retry_error(platform, PlatformError(ErrorKind.TRANSIENT, message, code=refused.code or ""), wait)

    async def settle_refusal(
        self, command: TargetCommand, step: StepContext | None, basis: AnswerTo | BeforeSend, error: PlatformError
    ) -> Outcome:
        """Save a definite refusal; raise if Temporal is to run the step again soon."""
        platform, was_sent = platforms()[command.platform], isinstance(basis, AnswerTo)
        failed = decisions.CONTENT_REFUSED if was_sent and error.is_of_content else decisions.FAILED
        if error.kind is ErrorKind.AUTH and step:
            error = await self._refused_accounts.verify(step, error)
        delay = results.wait_for_next_try(error, command.tries)
        # The next step looks for the post before it sends. Before that, the platform may not show it yet.
        answered = was_sent and error.status is not None and error.kind is not ErrorKind.NOT_READY
        shown_in = platform.read_lag if answered else timedelta(0)
        if error.kind in HOLD_REASONS and await self._holds(step, error):
            decision = decisions.HELD_FOR_ACCOUNT
            if error.kind is ErrorKind.OPERATOR:
                decision = decisions.HELD_FOR_OPERATOR
                if step:
                    await self._apps.refuse(step.account, error)
            wait = results.wait_while_held(error)
            again_in = None if wait is None else max(wait, shown_in)
            result = results.attempt_result(step, AttemptState.REFUSED, decision, error, again_in)
            outcome = await self.settle_and_log(command, basis, results.held(error), result)
            await self._rate_limiter.record_refusal(step, error, delay, was_sent=was_sent)
            return outcome
        if error.kind not in PASSING | HOLD_REASONS.keys():
            # The owner may replace the file at the same address before trying again.
            self._files.forget(command.post_id)
            result = results.attempt_result(step, AttemptState.REFUSED, failed, error)
            outcome = await self.settle_and_log(command, basis, results.refused(error), result)
            if outcome.status is TargetStatus.FAILED:
                raise final_error(platform, error, outcome) from error
            return outcome
        named_wait, delay = delay, max(delay, shown_in)
        decision = f"trying again in {delay.total_seconds():.0f} s"
        result = results.attempt_result(step, AttemptState.REFUSED, decision, error, delay)
        outcome = await self.settle_and_log(command, basis, results.tried_again(delay, error), result)
        if outcome.did_nothing or outcome.status in RESULTS:
            return outcome
        await self._rate_limiter.record_refusal(step, error, named_wait, was_sent=was_sent)
        if LONGEST_WAIT_IN_STEP < delay < time_left():
            return outcome.model_copy(update={"tries": count_tries(command.tries)})
        raise retry_error(platform, error, delay) from error

    async def _holds(self, step: StepContext | None, error: PlatformError) -> bool:
        """Return whether a refusal holds the target; False if its account was reconnected meanwhile."""
        return step is None or error.kind is not ErrorKind.AUTH or await self._refused_accounts.hold(step, error)
