"""The steps before the request that makes a target public: uploads and containers, nothing that people can see."""

from datetime import UTC, datetime

import structlog
from temporalio import activity

from activities import results
from activities.apps import Apps, RefusedAccounts
from activities.commands import TargetCommand
from activities.errors import media_busy_error, rate_limited_error, retry_error, shortened, time_left
from activities.heartbeat import heartbeating
from activities.rate_limiting import RateLimited, RateLimiter
from activities.step_context import StepContext, StepContextFactory
from domain import decisions, transitions
from domain.attempts import AttemptState, AttemptStep
from domain.plan import STALE, Outcome
from domain.post import TargetStatus
from domain.transitions import BeforeSend
from media.admission import MediaBusy
from platforms.errors import PASSING, ErrorKind, PlatformError
from platforms.registry import platforms
from store.database import Database
from store.failures import persist
from store.models import Attempt
from store.publishing.sending import open_target, settle
from store.publishing.targets import finished_step

log = structlog.get_logger(__name__)


async def prepare_target(step: StepContext) -> Attempt | None:
    """Prepare a target. Return its row for the attempt log, None if no request to the platform was needed.

    Raises PlatformError, MediaBusy.
    """
    started = datetime.now(UTC)
    await step.check_media()
    if step.platform.prepares(step.context.draft):
        await step.platform.prepare(step.connection, step.context)
    if not step.exchanges:
        return None
    ready = results.attempt_result(step, AttemptState.DONE, decisions.READY)
    return finished_step(step.context.target_id, AttemptStep.PREPARE, started, ready)


class Preparing:
    """The activity that prepares targets ahead of their time."""

    def __init__(
        self,
        database: Database,
        contexts: StepContextFactory,
        rate_limiter: RateLimiter,
        refused_accounts: RefusedAccounts,
        apps: Apps,
    ) -> None:
        self._database = database
        self._contexts = contexts
        self._rate_limiter = rate_limiter
        self._refused_accounts = refused_accounts
        self._apps = apps

    @activity.defn
    async def prepare(self, command: TargetCommand) -> Outcome:
        """Upload and build ahead of time what publishing will need. If that is refused, it is tried again when due."""
        async with heartbeating() as progress:
            loaded = await open_target(self._database, command.target_id)
            if loaded is None or loaded.target.status != TargetStatus.PENDING or loaded.is_paused:
                # During a pause nothing is prepared: the step that sends does it.
                return STALE if loaded is None else loaded.outcome
            step: StepContext | None = None
            try:
                step = self._contexts.create(loaded, progress.append)
                await self._rate_limiter.before_preparing(step)
                async with step.keeper.deferring():
                    prepared = await prepare_target(step)
                await step.keeper.flush()
                if prepared:
                    async with self._database.transaction() as session:
                        session.add(prepared)
            except RateLimited as limited:
                if limited.wait < time_left():
                    raise rate_limited_error(platforms()[command.platform], limited.wait) from limited
            except MediaBusy as busy:
                raise media_busy_error(platforms()[command.platform], busy, shortened(busy.wait)) from busy
            except PlatformError as error:
                await self._record_refusal(command, step, error)
            return loaded.outcome

    async def _record_refusal(self, command: TargetCommand, step: StepContext | None, error: PlatformError) -> None:
        """Save why a target could not be prepared ahead; raise for Temporal if the step is to be run again."""
        platform = platforms()[command.platform]
        if error.kind is ErrorKind.AUTH and step:
            error = await self._refused_accounts.verify(step, error)
        delay = results.wait_for_next_try(error)
        await self._rate_limiter.record_refusal(step, error, delay, was_sent=False)
        if error.kind in PASSING:
            raise retry_error(platform, error, delay) from error
        # The owner learns of it before the post is due, and may fix it in time.
        if error.kind is ErrorKind.AUTH and step:
            await self._refused_accounts.hold(step, error)
        if error.kind is ErrorKind.OPERATOR and step:
            await self._apps.refuse(step.account, error)
        note = results.attempt_result(step, AttemptState.REFUSED, "tried again when the post is due", error)
        before = BeforeSend(command.version, due=False)
        warned = transitions.warned(error.message)
        await persist(lambda: settle(self._database.answers, command.target_id, before, warned, note))
        log.info("prepare.refused", code=error.code)
