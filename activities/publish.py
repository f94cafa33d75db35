"""The step that makes a target public. It may be run again at any point; a repeat confirms before it sends."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity

from activities import results
from activities.apps import Apps
from activities.commands import TargetCommand
from activities.complete import completed
from activities.heartbeat import Fence, after_delay, heartbeating
from activities.meters import Meters
from activities.options import confirm_wait
from activities.prepare import prepare_target
from activities.rate_limiting import RateLimited, RateLimiter
from activities.results import claimed, look_in, looked_up, may_be_sent
from activities.step_context import StepContext, StepContextFactory
from activities.step_results import StepResults, another_post
from domain import decisions, transitions
from domain.attempts import AttemptResult, AttemptState, AttemptStep
from domain.loop_share import Stopwatch
from domain.ownership import SendDecision, decide_send
from domain.plan import Outcome
from domain.transitions import AnswerTo, BeforeSend, TargetTransition, WriteResult
from media.admission import MediaBusy
from platforms.access.oauth import TOKEN_RENEWED
from platforms.base import Absent, Finding, Published, Refused, Unknown, Unlisted
from platforms.capabilities import ChoosesKey
from platforms.errors import DUPLICATE, PASSING, ErrorKind, PlatformError
from store.accounts.connected import accept_account
from store.database import Database
from store.failures import persist
from store.models import Attempt
from store.publishing.claims import claim_public_post, posts_of_other_targets, sends_left
from store.publishing.sending import begin_send, mark_started, open_target, settle
from store.publishing.targets import LoadedTarget, load

STOPS = "the worker stops"
"""The message of a cancellation because the worker stops: in that case a running send is not awaited."""


class _NotSent(Exception):
    """The end of a step that may not send because of the rows' state, with the result for the workflow."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.status)
        self.outcome = outcome


class _Paused(Exception):
    """The end of a step that a closed gate stops; `prepared` is the result of preparing, if the step has prepared."""

    def __init__(self, prepared: AttemptResult | None = None) -> None:
        super().__init__()
        self.prepared = prepared


async def _finish_unless_worker_stops(sending: Coroutine[Any, Any, Published]) -> Published:
    """Return the result of a send, even if its step is cancelled meanwhile, unless the worker stops.

    If an operator cancels, or Temporal counts the step as lost, a request that was sent continues. Its response makes
    the rows true; without it, a target whose platform cannot be read would need a person.
    """
    task = asyncio.create_task(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as cancelled:
        details = activity.cancellation_details()
        if STOPS in cancelled.args or (details and details.worker_shutdown):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        return await task


def _why_it_may_be_sent(finding: Finding) -> str:
    if isinstance(finding, Unknown):
        return decisions.REFUSED_UNREAD
    is_unread = isinstance(finding, Absent) and finding.is_unread
    return decisions.MAY_BE_SENT_UNREAD if is_unread else decisions.MAY_BE_SENT


class Publishing:
    """The activity that publishes targets: open, acquire a rate limit slot, prepare, begin, send, settle."""

    def __init__(
        self,
        database: Database,
        contexts: StepContextFactory,
        rate_limiter: RateLimiter,
        apps: Apps,
        meters: Meters,
        step_results: StepResults,
    ) -> None:
        self._database = database
        self._contexts = contexts
        self._rate_limiter = rate_limiter
        self._apps = apps
        self._meters = meters
        self._results = step_results

    @activity.defn
    async def publish(self, command: TargetCommand) -> Outcome:
        """Make a target public by one request that is never repeated while its effect is unconfirmed.

        Uploads that were not prepared ahead are prepared first.
        """
        async with heartbeating() as progress:
            step: StepContext | None = None
            try:
                step, loaded = await self._open(command, progress)
                if loaded.must_confirm:
                    await self._confirm_earlier(command, step, loaded)
                async with step.keeper.deferring():
                    await self._rate_limiter.before_publishing(step)
                    async with after_delay(lambda: mark_started(self._database, command.target_id, command.version)):
                        prepared = await prepare_target(step)
                    await self._rate_limiter.before_sending(step)
                    if isinstance(step.platform, ChoosesKey):
                        await step.platform.assign_key(step.context)
                written = Stopwatch()
                attempt = await self._begin(command, step, prepared)
            except _NotSent as not_sent:
                return not_sent.outcome
            except _Paused as paused:
                return await self._results.hold_for_pause(command, paused.prepared)
            except RateLimited as limited:
                return await self._results.wait_for_slot(command, step, limited)
            except MediaBusy as busy:
                return await self._results.wait_for_media(command, busy)
            except PlatformError as error:
                return await self._results.settle_refusal(command, step, BeforeSend(command.version), error)
            step.connection.wire.fence = Fence(self._database.answers, attempt.id, written)
            return await self._send(command, step, attempt)

    async def _open(self, command: TargetCommand, progress: list[str]) -> tuple[StepContext, LoadedTarget]:
        """Return the context for sending a target, and its rows.

        Raises _NotSent if it may not be sent, _Paused, PlatformError.
        """
        loaded = await open_target(self._database, command.target_id)
        if (
            loaded is None
            or not loaded.is_free
            or decide_send(loaded.row, command.version, datetime.now(UTC)) is not SendDecision.GO
        ):
            raise _NotSent(await self._results.current_outcome(command, loaded))
        if loaded.is_paused:
            raise _Paused
        if loaded.target.begun_at is None and loaded.target.due_at:
            self._meters.record_start(command.platform, datetime.now(UTC) - loaded.target.due_at)
        if loaded.account and loaded.account.refused_at:
            raise PlatformError(ErrorKind.AUTH, loaded.account.refusal or "", code=loaded.account.refusal_code or "")
        step = self._contexts.create(loaded, progress.append)
        await self._apps.check(step.account, step.refusal_applies, loaded.target)
        if loaded.sent_since:
            async with self._database.reading() as session:
                step.context.taken = await posts_of_other_targets(session, loaded.target, loaded.sent_since)
        # The rules were checked when the post was created; the account or its limits may have changed since.
        if broken := step.platform.violations(step.context.draft, step.connection.account):
            raise PlatformError(ErrorKind.REJECTED, broken[0].error, code=broken[0].code)
        return step, loaded

    async def _confirm_earlier(self, command: TargetCommand, step: StepContext, loaded: LoadedTarget) -> None:
        """Ask the platform for an earlier send before the next one, also if that one was refused.

        Returns if the target may be sent. Raises _NotSent if it is public, or if it must be confirmed, PlatformError.
        """
        new, step.context = step.context, step.for_confirmation()
        wait = look_in(loaded.sent, step.platform, datetime.now(UTC))
        if loaded.sent and wait > timedelta(0):
            raise _NotSent(await self._results.wait_until_shown(command, loaded.sent, wait))
        try:
            finding = await looked_up(step)
            finding = await claimed(self._database, loaded, finding)
        except PlatformError as error:
            if error.kind in PASSING:
                raise
            # The token or the app may not read. Whether it may publish, the send itself shows.
            finding = Unknown(final=True)
        match finding, loaded.sent:
            case Published(), _:
                finding, incomplete = await completed(step, finding)
                settled = await self._settle_check(command, step, decisions.PUBLIC, results.published(finding))
                raise _NotSent(settled.model_copy(update={"incomplete": incomplete}))
            case Unlisted(), _:
                unlisted = transitions.unlisted(datetime.now(UTC), step.platform.label)
                raise _NotSent(await self._settle_check(command, step, decisions.PUBLIC_UNLISTED, unlisted))
            case Absent(), Attempt() as sent if not may_be_sent(finding, sent, step, 1):
                pass
            case Unknown(final=True), Attempt() if not await self._may_send_unseen(command):
                pass
            case (Absent() | Refused(), _) | (Unknown(final=True), Attempt(state=AttemptState.REFUSED)):
                # If the rows have changed meanwhile, the beginning of the send finds it out.
                result = results.attempt_result(step, AttemptState.DONE, _why_it_may_be_sent(finding))
                basis, checked = BeforeSend(command.version, step=AttemptStep.CONFIRM), transitions.checked()
                await persist(lambda: settle(self._database.answers, command.target_id, basis, checked, result))
                step.context = new
                step.exchanges.clear()
                return
        message = f"It is not known whether an earlier send reached {step.platform.label}."
        unconfirmed = transitions.unconfirmed("sending", message)
        raise _NotSent(await self._settle_check(command, step, decisions.ASKED_BEFORE_SEND, unconfirmed))

    async def _may_send_unseen(self, command: TargetCommand) -> bool:
        """Return whether a target whose platform cannot show it may be sent once more."""
        async with self._database.answers.transaction() as session:
            return await sends_left(session, command.target_id) > 0

    async def _settle_check(
        self, command: TargetCommand, step: StepContext, decision: str, transition: TargetTransition
    ) -> Outcome:
        """Write that a target is not sent because of what its platform shows of an earlier send."""
        basis = BeforeSend(command.version, step=AttemptStep.CONFIRM)
        result = results.attempt_result(step, AttemptState.DONE, decision)
        return await self._results.settle_and_log(command, basis, transition, result)

    async def _begin(self, command: TargetCommand, step: StepContext, prepared: Attempt | None) -> Attempt:
        """Write the attempt of a target's one send.

        Raises _NotSent if it may not be sent any more, _Paused, PlatformError.
        """
        handles_version, handles = step.keeper.hand_over()
        begun = await begin_send(self._database, command.target_id, command.version, prepared, handles_version, handles)
        if begun is WriteResult.PAUSED:
            await step.keeper.take_back(handles)
            raise _Paused(results.attempt_result(step, AttemptState.DONE, decisions.READY) if prepared else None)
        if begun is WriteResult.OVERTAKEN:
            raise step.keeper.overtaken()
        if isinstance(begun, WriteResult):
            raise _NotSent(await self._results.current_outcome(command))
        return begun

    async def _send(self, command: TargetCommand, step: StepContext, attempt: Attempt) -> Outcome:
        answer = AnswerTo(attempt.id)
        sent_before = step.context.started_at is not None
        step.context.started_at = step.context.started_at or attempt.started_at
        step.keeper.going_public = step.media.sends = True
        try:
            published = await _finish_unless_worker_stops(step.platform.publish(step.connection, step.context))
            if sent_before:
                await self._claim_answer(command, published)
            step.connection.wire.fence = None
            result = results.attempt_result(step, AttemptState.DONE, decisions.PUBLISHED)
            published, incomplete = await completed(step, published)
            outcome = await self._results.settle_and_log(command, answer, results.published(published), result)
        except PlatformError as error:
            if error.status is not None and not step.shows_posts and not await self._may_send_unseen(command):
                error = error.as_unconfirmed()
            # A platform that calls the second send a duplicate has published the first one after all. If it says so
            # again although the post could not be confirmed, the duplicate is another post.
            was_published = sent_before and error.code == DUPLICATE != step.last_send_code
            if error.code == TOKEN_RENEWED == step.last_send_code and error.claim:
                error = error.claim
            if error.kind is not ErrorKind.UNCONFIRMED and not was_published:
                return await self._results.settle_refusal(command, step, answer, error)
            soon = confirm_wait(0)
            result = results.attempt_result(
                step, AttemptState.UNCONFIRMED, "confirming on the platform before anything else", error, soon
            )
            unconfirmed = transitions.unconfirmed(error.code, error.message)
            return await self._results.settle_and_log(command, answer, unconfirmed, result)
        await self._rate_limiter.record_quota(step)
        await self._apps.accept(step.account, step.refusal_applies)
        if step.account.refusal_count:
            async with self._database.answers.transaction() as session:
                await accept_account(session, step.account, published=True)
        return outcome.model_copy(update={"incomplete": incomplete})

    async def _claim_answer(self, command: TargetCommand, published: Published) -> None:
        """Claim the post in the response to a repeated send, because the platform may have had that post already.

        Raises PlatformError(unconfirmed) if that post belongs to another target.
        """

        async def claim_answer() -> bool:
            async with self._database.answers.transaction() as session:
                loaded = await load(session, command.target_id)
                return loaded is None or await claim_public_post(
                    session, loaded, published.platform_post_id, by_text=False
                )

        if not await persist(claim_answer):
            raise another_post()
