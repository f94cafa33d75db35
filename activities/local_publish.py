"""Publishing within a workflow's task, as a local activity, if the platform responds soon and a slot is free."""

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.commands import TargetCommand
from activities.heartbeat import heartbeating
from activities.options import CONTINUES, DECLINED, queue_of
from activities.publish import STOPS, Publishing
from domain.outcome import Outcome
from domain.waits import MEDIA_BUSY

SLOTS = 25
"""The slots of each platform: a platform that does not respond takes no slots of the others."""

LOCAL_LIMIT_S = 2.0
"""How long a workflow's task waits for a step. A step that takes longer continues as an activity."""

_KEPT_S = 20.0
"""How long the result of a continued step is kept for its activity."""

_Key = tuple[str, int]


class LocalPublish:
    """The publish step of a worker of the posts' own queue: first as a local activity, then as an activity.

    A step that finds no free slot, or whose platform this worker does not serve, is left to the platform's own queue.
    """

    def __init__(self, publishing: Publishing, platforms: Iterable[str]) -> None:
        self._publishing = publishing
        self._under_way: dict[str, set[asyncio.Task[Outcome]]] = {platform: set() for platform in platforms}
        self._steps: dict[_Key, asyncio.Task[Outcome]] = {}
        self._stopping = False

    @property
    def slots(self) -> int:
        """Return how many steps of all platforms may run at the same time."""
        return SLOTS * max(len(self._under_way), 1)

    @activity.defn(name="publish")
    async def publish(self, command: TargetCommand) -> Outcome:
        """Publish as `Publishing.publish` does, or leave it to the platform's own queue.

        A local activity waits two seconds at most. It raises CONTINUES if the step takes longer or is to run again
        later. The activity that the workflow starts then joins the step, and returns or raises its result.
        """
        if activity.info().is_local:
            return await self._within_task(command)
        went_on = self._steps.pop(_key(command), None)
        step = went_on or self._begin(command)
        try:
            # A step that began within a workflow's task does not heartbeat.
            async with heartbeating() if went_on else contextlib.nullcontext():
                try:
                    return await asyncio.shield(step)
                except asyncio.CancelledError:
                    return await self._cut_short(command, step)
        except ApplicationError as error:
            raise _declined(command) if error.type == MEDIA_BUSY else error from error

    async def _within_task(self, command: TargetCommand) -> Outcome:
        step = self._steps.get(_key(command))
        if step is None or step.done():
            step = self._begin(command)
        try:
            await asyncio.wait({step}, timeout=LOCAL_LIMIT_S)
        except asyncio.CancelledError:
            # The workflow's task has failed. The next task must continue this step, not find it half done.
            self._keep(command, step)
            raise
        if self._stopping and step.cancelled():
            raise _declined(command)
        error = step.exception() if step.done() else None
        if isinstance(error, ApplicationError) and error.type == MEDIA_BUSY:
            raise _declined(command) from error
        if step.done() and (error is None or (isinstance(error, ApplicationError) and error.non_retryable)):
            return step.result()
        self._keep(command, step)
        raise _benign("continues as an activity", CONTINUES)

    def _begin(self, command: TargetCommand) -> asyncio.Task[Outcome]:
        """Begin a step. Raises ApplicationError(DECLINED)."""
        steps = self._under_way.get(command.platform)
        if self._stopping or steps is None or len(steps) >= SLOTS:
            raise _declined(command)
        step = asyncio.create_task(self._publishing.publish(command))
        steps.add(step)
        step.add_done_callback(steps.discard)
        return step

    def _keep(self, command: TargetCommand, step: asyncio.Task[Outcome]) -> None:
        """Keep a running step for the activity that joins it, and its result for a while after it has ended."""
        key, loop = _key(command), asyncio.get_running_loop()
        self._steps[key] = step

        def forget() -> None:
            if self._steps.get(key) is step:
                del self._steps[key]

        def over(step: asyncio.Task[Outcome]) -> None:
            # If no activity joins a failed step, asyncio would log its error. The target's row has it.
            _ = step.cancelled() or step.exception()
            loop.call_later(_KEPT_S, forget)

        step.add_done_callback(over)

    async def _cut_short(self, command: TargetCommand, step: asyncio.Task[Outcome]) -> Outcome:
        details = activity.cancellation_details()
        if details and not (details.cancel_requested or details.worker_shutdown):
            # Temporal counts this try as lost. The next try must continue the step, not find it half done.
            self._keep(command, step)
            raise asyncio.CancelledError
        step.cancel(*([] if details and details.cancel_requested else [STOPS]))
        try:
            return await step
        except asyncio.CancelledError:
            if self._stopping:
                raise _declined(command) from None
            raise

    async def stop(self, grace: timedelta) -> None:
        """Begin no step, and cancel the steps that still run after the grace: another worker continues them."""
        self._stopping = True
        if under_way := set[asyncio.Task[Outcome]]().union(*self._under_way.values()):
            _, late = await asyncio.wait(under_way, timeout=grace.total_seconds())
            for step in late:
                step.cancel(STOPS)


def _key(command: TargetCommand) -> _Key:
    return command.target_id, command.version


def _benign(message: str, kind: str) -> ApplicationError:
    return ApplicationError(message, type=kind, non_retryable=True, category=ApplicationErrorCategory.BENIGN)


def _declined(command: TargetCommand) -> ApplicationError:
    return _benign(f"left to the queue {queue_of(command.platform)}", DECLINED)
