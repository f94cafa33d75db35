"""Publishing within a workflow's task, as a local activity, if the platform responds soon and a slot is free."""

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.commands import TargetCommand
from activities.heartbeat import heartbeating
from activities.options import CONTINUES_AS_ACTIVITY, DECLINED, POSTS_QUEUE, STEP_TIMEOUT, queue_of
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
    """The publish steps of one worker process: within a workflow's task, continued as an activity, or from a queue.

    A step that runs in this process is never begun a second time, wherever Temporal asks for it again: because a task
    or a heartbeat was lost, or because this process was too busy to take the continuing activity in time. The second
    run would find an open attempt, and would take its worker for lost.

    Within a task, a step that finds no free slot, or whose platform this worker does not serve, is left to the
    platform's own queue. `queue` is the one on which this process alone takes the steps that it continues.
    """

    def __init__(self, publishing: Publishing, platforms: Iterable[str], queue: str = POSTS_QUEUE) -> None:
        self._queue = queue
        self._publishing = publishing
        self._under_way: dict[str, set[asyncio.Task[Outcome]]] = {platform: set() for platform in platforms}
        self._running: dict[_Key, asyncio.Task[Outcome]] = {}
        """Every step that runs in this process, but none that takes longer than STEP_TIMEOUT."""
        self._kept: dict[_Key, asyncio.Task[Outcome]] = {}
        """The steps that continue as an activity, until its first try has come, and for a while after their end."""
        self._stopping = False

    @property
    def slots(self) -> int:
        """Return how many steps of all platforms may run at the same time."""
        return SLOTS * max(len(self._under_way), 1)

    @activity.defn(name="publish")
    async def publish(self, command: TargetCommand) -> Outcome:
        """Publish as `Publishing.publish` does, or leave it to the platform's own queue.

        A local activity waits two seconds at most. It raises CONTINUES_AS_ACTIVITY if the step takes longer or is to
        run again later. The activity that the workflow starts then joins the step, and returns or raises its result.
        """
        if activity.info().is_local:
            return await self._within_task(command)
        kept = self._kept.pop(_key(command), None)
        # Only the first try gets the result of a step that has ended: by a later one, the rows may have changed.
        joined = kept if kept and activity.info().attempt == 1 else self._running.get(_key(command))
        step = joined or self._begin(command)
        try:
            return await self._result(command, step, joined=joined is not None)
        except asyncio.CancelledError:
            if self._stopping:
                raise _declined(command) from None
            raise
        except ApplicationError as error:
            raise _declined(command) if error.type == MEDIA_BUSY else error from error

    @activity.defn(name="publish")
    async def publish_from_queue(self, command: TargetCommand) -> Outcome:
        """Publish as `Publishing.publish` does, for a platform's own queue; join the step if it runs here already."""
        joined = self._running.get(_key(command))
        return await self._result(command, joined or self._run(command), joined=joined is not None)

    async def _result(self, command: TargetCommand, step: asyncio.Task[Outcome], *, joined: bool) -> Outcome:
        # A step that began in another run does not heartbeat for this one.
        async with heartbeating() if joined else contextlib.nullcontext():
            try:
                return await asyncio.shield(step)
            except asyncio.CancelledError:
                return await self._cut_short(command, step)

    async def _within_task(self, command: TargetCommand) -> Outcome:
        self._kept.pop(_key(command), None)
        step = self._running.get(_key(command)) or self._begin(command)
        # If the workflow's task fails meanwhile, the step continues, and the next task joins it.
        await asyncio.wait({step}, timeout=LOCAL_LIMIT_S)
        if self._stopping and step.cancelled():
            raise _declined(command)
        error = step.exception() if step.done() else None
        if isinstance(error, ApplicationError) and error.type == MEDIA_BUSY:
            raise _declined(command) from error
        if step.done() and (error is None or (isinstance(error, ApplicationError) and error.non_retryable)):
            return step.result()
        self._keep(command, step)
        raise _benign("continues as an activity", CONTINUES_AS_ACTIVITY, self._queue)

    def _begin(self, command: TargetCommand) -> asyncio.Task[Outcome]:
        """Begin a step. Raises ApplicationError(DECLINED)."""
        steps = self._under_way.get(command.platform)
        if self._stopping or steps is None or len(steps) >= SLOTS:
            raise _declined(command)
        step = self._run(command)
        steps.add(step)
        step.add_done_callback(steps.discard)
        return step

    def _run(self, command: TargetCommand) -> asyncio.Task[Outcome]:
        key, step = _key(command), asyncio.create_task(self._publishing.publish(command))
        self._running[key] = step
        # A step that hangs is begun again by Temporal's next try, and not joined.
        limit = asyncio.get_running_loop().call_later(STEP_TIMEOUT.total_seconds(), step.cancel, STOPS)

        def over(step: asyncio.Task[Outcome]) -> None:
            limit.cancel()
            del self._running[key]
            # If no run waits for a failed step, asyncio would log its error. The target's row has it.
            _ = step.cancelled() or step.exception()

        step.add_done_callback(over)
        return step

    def _keep(self, command: TargetCommand, step: asyncio.Task[Outcome]) -> None:
        """Keep a running step for the activity that joins it, and its result for a while after it has ended."""
        key, loop = _key(command), asyncio.get_running_loop()
        self._kept[key] = step

        def forget() -> None:
            if self._kept.get(key) is step:
                del self._kept[key]

        step.add_done_callback(lambda _: loop.call_later(_KEPT_S, forget))

    async def _cut_short(self, command: TargetCommand, step: asyncio.Task[Outcome]) -> Outcome:
        details = activity.cancellation_details()
        if details and not (details.cancel_requested or details.worker_shutdown):
            # Temporal counts this try as lost. The step continues, and the next try joins it.
            raise asyncio.CancelledError
        step.cancel(*([] if details and details.cancel_requested else [STOPS]))
        return await step

    async def stop(self, grace: timedelta) -> None:
        """Begin no step, and cancel the steps that still run after the grace: another worker continues them."""
        self._stopping = True
        if under_way := set[asyncio.Task[Outcome]]().union(*self._under_way.values()):
            _, late = await asyncio.wait(under_way, timeout=grace.total_seconds())
            for step in late:
                step.cancel(STOPS)


def _key(command: TargetCommand) -> _Key:
    return command.target_id, command.version


def _benign(message: str, kind: str, *details: str) -> ApplicationError:
    return ApplicationError(message, *details, type=kind, non_retryable=True, category=ApplicationErrorCategory.BENIGN)


def _declined(command: TargetCommand) -> ApplicationError:
    return _benign(f"left to the queue {queue_of(command.platform)}", DECLINED)
