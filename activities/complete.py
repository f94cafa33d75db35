"""The steps after a publication: a permalink, a first comment. No step here makes a post less public."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from temporalio import activity

from activities.commands import TargetCommand
from activities.errors import retry_error, time_left, wait_before_retry
from activities.heartbeat import heartbeating
from activities.step_context import StepContext, StepContextFactory
from domain.plan import STALE, Outcome
from platforms.base import Published
from platforms.errors import PASSING, PlatformError
from platforms.registry import platforms
from store.database import Database
from store.failures import persist
from store.publishing.sending import open_target
from store.publishing.targets import add_details

NOT_YET = "What follows the post is not complete yet"
"""The beginning of a published target's warning while the steps after the publication are tried again."""
_SHOWN_FROM = timedelta(minutes=1)
"""The shortest wait that is shown as a warning; a shorter one is over before anybody reads of it."""

log = structlog.get_logger(__name__)


async def completed(step: StepContext, published: Published) -> tuple[Published, bool]:
    """Run the steps after a publication, and return whether some of them are left.

    A worker that stops leaves the rest to the next one: the publication is saved first.
    """
    # The handles may be those of an earlier send. They are saved from now on: a repeat must not comment a second time.
    step.context.save = step.keeper.save
    try:
        return await step.platform.complete(step.connection, step.context, published), False
    except asyncio.CancelledError:
        log.info("publish.incomplete", platform=step.platform.name, code="worker_stops")
        return published, True
    except PlatformError as error:
        log.warning("publish.incomplete", platform=step.platform.name, code=error.code)
        if error.kind in PASSING:
            return published, True
        return replace(published, warning=error.message), False


class Completing:
    """The activity that does the steps after a publication."""

    def __init__(self, database: Database, contexts: StepContextFactory) -> None:
        self._database = database
        self._contexts = contexts

    @activity.defn
    async def complete(self, command: TargetCommand) -> Outcome:
        """Run the remaining steps for a target that is public already."""
        async with heartbeating() as progress:
            loaded = await open_target(self._database, command.target_id)
            if loaded is None or loaded.target.platform_post_id is None:
                return STALE
            target = loaded.target
            public = Published(loaded.target.platform_post_id, target.platform_post_url, target.editable_until)
            try:
                step = self._contexts.create(loaded, progress.append)
                done = await step.platform.complete(step.connection, step.context, public)
            except PlatformError as error:
                if error.kind not in PASSING:
                    done = replace(public, warning=error.message)
                else:
                    delay = wait_before_retry(error)
                    if delay < time_left():
                        if delay >= _SHOWN_FROM:
                            await self._save(command, replace(public, warning=_not_yet(delay, error)), public)
                        raise retry_error(platforms()[command.platform], error, delay) from error
                    done = replace(public, warning=f"What follows the post was given up. {error.message}")

            return await self._save(command, done, public)

    async def _save(self, command: TargetCommand, done: Published, public: Published) -> Outcome:
        async def write() -> Outcome:
            async with self._database.answers.transaction() as session:
                return await add_details(
                    session,
                    command.target_id,
                    public.platform_post_id,
                    done.platform_post_id,
                    done.url,
                    done.warning,
                )

        return await persist(write)


def _not_yet(delay: timedelta, error: PlatformError) -> str:
    return f"{NOT_YET}; it is tried again at {datetime.now(UTC) + delay:%Y-%m-%d %H:%MZ}. {error.message}"
