"""The steps on a published target: a permalink, a first comment, an edit. None makes a post less public."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from temporalio import activity

from accounts.credentials.connections import not_connected
from activities import results
from activities.commands import EditCommand, TargetCommand
from activities.errors import retry_error, time_left, wait_before_retry
from activities.heartbeat import Fence, heartbeating
from activities.step_context import StepContext, StepContextFactory
from domain.attempts import AttemptState
from domain.loop_share import Stopwatch
from domain.plan import STALE, Outcome
from platforms.base import Absent, Published
from platforms.capabilities import Editable
from platforms.errors import PASSING, ErrorKind, PlatformError
from platforms.registry import platforms
from store.database import Database
from store.failures import persist
from store.publishing.editing import Edit, begin_again, begin_edit, put_off_edit, refuse_edit, settle_edit
from store.publishing.sending import open_target
from store.publishing.targets import add_details

log = structlog.get_logger(__name__)


class Editing:
    """The activity that edits published posts on platforms that allow it."""

    def __init__(self, database: Database, contexts: StepContextFactory) -> None:
        self._database = database
        self._contexts = contexts

    @activity.defn
    async def edit(self, command: EditCommand) -> Outcome | None:
        """Edit the text of a published target; None if there is nothing to edit.

        If it is run again after a crash, it confirms before it sends.
        """
        async with heartbeating():
            written = Stopwatch()
            async with self._database.transaction() as session:
                edit = await begin_edit(session, command.target_id, command.revision_id)
            if edit is None:
                return None
            platform = platforms()[command.platform]
            try:
                if not isinstance(platform, Editable) or edit.loaded.account is None:
                    raise not_connected(platform)
                step = self._contexts.create(edit.loaded)
                published = await self._confirmed(platform, step, edit)
                if published is None:
                    if edit.left_by:
                        written = Stopwatch()
                        edit = await self._begin_again(edit)
                    step.connection.wire.fence = Fence(self._database.answers, edit.attempt_id, written)
                    published = await platform.edit(step.connection, _current(edit), edit.text, step.context.handles)
            except PlatformError as error:
                return await self._settle_error(command, edit, error)
            result = results.attempt_result(step, AttemptState.DONE, "edited")

            async def write() -> Outcome:
                async with self._database.answers.transaction() as session:
                    return await settle_edit(
                        session, edit, published.platform_post_id, published.url, published.editable_until, result
                    )

            outcome = await persist(write)
            log.info("target.edited", platform=command.platform, platform_post_id=outcome.platform_post_id)
            return outcome

    async def _confirmed(self, platform: Editable[Any, Any], step: StepContext, edit: Edit) -> Published | None:
        """Return the edit that an earlier try made, None if there was no such try or it certainly made no edit."""
        if edit.left_by is None:
            return None
        finding = await platform.confirm_edit(step.connection, _current(edit), edit.text)
        if isinstance(finding, Published):
            return finding
        waited = datetime.now(UTC) - edit.left_by
        if isinstance(finding, Absent) and waited >= step.platform.read_lag:
            if edit.refusal:
                raise PlatformError(ErrorKind.REJECTED, edit.refusal.message, code=edit.refusal.code)
            return None
        raise PlatformError(ErrorKind.NOT_READY, "The edit is waiting for confirmation.", code="edit_unconfirmed")

    async def _begin_again(self, edit: Edit) -> Edit:
        async with self._database.transaction() as session:
            again = await begin_again(session, edit)
        if again is None:
            raise PlatformError(ErrorKind.TRANSIENT, "Another worker has taken over this edit.", code="overtaken")
        return again

    async def _settle_error(self, command: EditCommand, edit: Edit, error: PlatformError) -> Outcome:
        platform = platforms()[command.platform]
        again = error.kind in PASSING or error.kind is ErrorKind.UNCONFIRMED
        delay = wait_before_retry(error) if again else None
        confirming = error.kind is ErrorKind.UNCONFIRMED or error.code == "edit_unconfirmed"
        decision = f"confirming or trying again in {delay.total_seconds():.0f} s" if delay is not None else "failed"
        result = results.attempt_result(
            None, AttemptState.UNCONFIRMED if confirming else AttemptState.REFUSED, decision, error
        )

        async def write() -> Outcome:
            async with self._database.answers.transaction() as session:
                if delay is None:
                    return await refuse_edit(session, edit, error.message, error.code, result)
                return await put_off_edit(session, edit, result)

        outcome = await persist(write)
        log.info("target.edit_refused", platform=command.platform, kind=error.kind, code=error.code, decision=decision)
        if delay is not None:
            raise retry_error(platform, error, delay) from error
        return outcome


def _current(edit: Edit) -> Published:
    target = edit.loaded.target
    return Published(edit.platform_post_id, target.platform_post_url, target.editable_until)


NOT_YET = "What follows the post is not complete yet"
"""The beginning of a published target's warning while the steps after the publication are tried again."""
_SHOWN_FROM = timedelta(minutes=1)
"""The shortest wait that is shown as a warning; a shorter one is over before anybody reads of it."""


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
