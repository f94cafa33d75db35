"""Publishing within a workflow's task, as a local activity, if the platform responds soon and a slot is free."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.commands import TargetCommand
from activities.heartbeat import heartbeating
from activities.options import CONTINUES_AS_ACTIVITY, DECLINED, POSTS_QUEUE, STEP_TIMEOUT, platform_queue
from activities.publish import STOPS, Publishing
from activities.task_slots import TaskSlots
from domain.plan import MEDIA_BUSY, Outcome
from domain.post import TargetStatus

SLOTS = 40
"""How many local steps of each platform may run at the same time: one that does not respond does not block others."""

TURNS = 25
"""How many of them tasks may wait for, without those that clients wait for: these are not behind a crowd."""

_TURN_S = 1.0
"""How long a step waits for its turn."""

LOCAL_LIMIT_S = 2.0
"""How long a workflow's task waits for a step. A step that takes longer continues as an activity."""

_RECENT, _RECENT_S = 16, 1.0
"""Ended steps that are counted, and for how many seconds."""

_CROWD = _RECENT
"""More steps than that, running or ended within the last second, are a crowd."""

_BUSY_S = 0.3
"""How long this process counts as publishing after a step began or ended: in between it waits for the platform."""

_RESULT_KEPT_S = 20.0
"""How long the result of a continued step is kept for its activity."""

_Key = tuple[str, int]


class LocalPublish:
    """The publish steps of one worker process: within a workflow's task, continued as an activity, or from a queue.

    A step that runs in this process is never begun a second time. Temporal may ask for it again, if a task or a
    heartbeat was lost, or if this process was too busy to take the continuing activity in time. A second run would find
    an open attempt, and would count the worker that wrote it as lost.

    Within a task, a step is left to its platform's own queue if no slot is free, or if this worker does not serve the
    platform. `queue` is the queue of this process, on which it continues its steps. In a crowd, a result waits until
    others are published, too, within the time for which a task is held.
    """

    def __init__(
        self,
        publishing: Publishing,
        platforms: Iterable[str],
        queue: str = POSTS_QUEUE,
        task_slots: TaskSlots | None = None,
    ) -> None:
        self._queue = queue
        self._task_slots = task_slots or TaskSlots()
        self._publishing = publishing
        self._in_slots: dict[str, set[asyncio.Task[Outcome]]] = {platform: set() for platform in platforms}
        """By platform, the running steps that were begun for a workflow's task."""
        self._turns = {platform: asyncio.Semaphore(TURNS) for platform in self._in_slots}
        self._running: dict[_Key, asyncio.Task[Outcome]] = {}
        """Every step that runs in this process, but none that takes longer than STEP_TIMEOUT."""
        self._continued: dict[_Key, asyncio.Task[Outcome]] = {}
        """The steps that continue as activities: until the activity's first try, or for a while after their end."""
        self._ended = deque[float](maxlen=_RECENT)
        """When the last steps ended."""
        self._last_at = float("-inf")
        """When a step has last begun or ended."""
        self._stopping = False

    @property
    def slots(self) -> int:
        """Return how many steps of all platforms may run at the same time."""
        return SLOTS * max(len(self._in_slots), 1)

    def recent(self) -> int:
        """Return how many steps run in this process or have ended within the last second: some at least, if many."""
        since = asyncio.get_running_loop().time() - _RECENT_S
        return len(self._running) + sum(at > since for at in self._ended)

    def is_publishing(self) -> bool:
        """Return whether a step of this process has just begun or ended, so that others should leave it the cores."""
        return self.has_published(_BUSY_S)

    def has_published(self, within_s: float) -> bool:
        """Return whether a step of this process has begun or ended within so many seconds."""
        return asyncio.get_running_loop().time() < self._last_at + within_s

    @activity.defn(name="publish")
    async def publish(self, command: TargetCommand) -> Outcome:
        """Publish as `Publishing.publish` does, or leave it to the platform's own queue.

        A local activity waits two seconds at most. It raises CONTINUES_AS_ACTIVITY if the step takes longer or is to
        run again later. The activity that the workflow starts then joins the step, and returns or raises its result.
        """
        if activity.info().is_local:
            return await self._within_task(command)
        continued = self._continued.pop(_key(command), None)
        # Only the activity's first try gets the result of an ended step: before a later try, the rows may have changed.
        joined = continued if continued and activity.info().attempt == 1 else self._running.get(_key(command))
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
                return await self._end_early(command, step)

    async def _within_task(self, command: TargetCommand) -> Outcome:
        self._continued.pop(_key(command), None)
        until = asyncio.get_running_loop().time() + LOCAL_LIMIT_S
        with self._task_slots.running(command.post_id):
            async with self._turn(command):
                step = self._running.get(_key(command)) or self._begin(command)
                # If the workflow's task fails meanwhile, the step continues, and the next task joins it.
                await asyncio.wait({step}, timeout=LOCAL_LIMIT_S)
        if not self._stopping and _has_published(step) and self.recent() > _CROWD:
            await self._task_slots.wait_to_report(command.post_id, until)
        if self._stopping and step.cancelled():
            raise _declined(command)
        error = step.exception() if step.done() else None
        if isinstance(error, ApplicationError) and error.type == MEDIA_BUSY:
            raise _declined(command) from error
        if step.done() and (error is None or (isinstance(error, ApplicationError) and error.non_retryable)):
            return step.result()
        self._continue_as_activity(command, step)
        raise _benign("continues as an activity", CONTINUES_AS_ACTIVITY, self._queue)

    @contextlib.asynccontextmanager
    async def _turn(self, command: TargetCommand) -> AsyncIterator[None]:
        """Wait for a turn of the platform, unless a client waits for the step. Raises ApplicationError(DECLINED)."""
        turns = self._turns.get(command.platform)
        if turns is None or command.urgent or _key(command) in self._running:
            yield
            return
        try:
            async with asyncio.timeout(_TURN_S):
                await turns.acquire()
        except TimeoutError:
            raise _declined(command) from None
        try:
            yield
        finally:
            turns.release()

    def _begin(self, command: TargetCommand) -> asyncio.Task[Outcome]:
        """Begin a step. Raises ApplicationError(DECLINED)."""
        steps = self._in_slots.get(command.platform)
        if self._stopping or steps is None or len(steps) >= SLOTS:
            raise _declined(command)
        step = self._run(command)
        steps.add(step)
        step.add_done_callback(steps.discard)
        return step

    def _run(self, command: TargetCommand) -> asyncio.Task[Outcome]:
        key, step = _key(command), asyncio.create_task(self._publishing.publish(command))
        self._running[key] = step
        self._last_at = asyncio.get_running_loop().time()
        # A step that hangs is cancelled, so that Temporal's next try begins it again and does not join it.
        limit = asyncio.get_running_loop().call_later(STEP_TIMEOUT.total_seconds(), step.cancel, STOPS)

        def over(step: asyncio.Task[Outcome]) -> None:
            limit.cancel()
            del self._running[key]
            self._ended.append(asyncio.get_running_loop().time())
            self._last_at = self._ended[-1]
            # Read the error, which the target's row has: asyncio would log it if no run waits for the step.
            _ = step.cancelled() or step.exception()

        step.add_done_callback(over)
        return step

    def _continue_as_activity(self, command: TargetCommand, step: asyncio.Task[Outcome]) -> None:
        """Keep a running step for the activity that joins it, and its result for a while after it has ended."""
        key, loop = _key(command), asyncio.get_running_loop()
        self._continued[key] = step

        def forget() -> None:
            if self._continued.get(key) is step:
                del self._continued[key]

        step.add_done_callback(lambda _: loop.call_later(_RESULT_KEPT_S, forget))

    async def _end_early(self, command: TargetCommand, step: asyncio.Task[Outcome]) -> Outcome:
        details = activity.cancellation_details()
        if details and not (details.cancel_requested or details.worker_shutdown):
            # Temporal counts this try as lost. The step continues, and the next try joins it.
            raise asyncio.CancelledError
        step.cancel(*([] if details and details.cancel_requested else [STOPS]))
        return await step

    async def stop(self, grace: timedelta) -> None:
        """Begin no step, and cancel the steps that still run after the grace: another worker continues them."""
        self._stopping = True
        self._task_slots.report_all()
        if in_slots := set[asyncio.Task[Outcome]]().union(*self._in_slots.values()):
            _, late = await asyncio.wait(in_slots, timeout=grace.total_seconds())
            for step in late:
                step.cancel(STOPS)


def _has_published(step: asyncio.Task[Outcome]) -> bool:
    """Return whether a step has ended, and its workflow has nothing to do for its target now."""
    if not step.done() or step.cancelled() or step.exception():
        return False
    outcome = step.result()
    return outcome.status is TargetStatus.PUBLISHED and not outcome.incomplete


def _key(command: TargetCommand) -> _Key:
    return command.target_id, command.version


def _benign(message: str, kind: str, *details: str) -> ApplicationError:
    return ApplicationError(message, *details, type=kind, non_retryable=True, category=ApplicationErrorCategory.BENIGN)


def _declined(command: TargetCommand) -> ApplicationError:
    return _benign(f"left to the queue {platform_queue(command.platform)}", DECLINED)
