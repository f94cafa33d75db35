"""Functions that run the activities of a post's workflow, each with its queue, timeouts, retry policy and name."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TimedOut

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.commands import ConfirmCommand, EditCommand, GiveUpCommand, GiveUpReason, PostCommand, TargetCommand
    from activities.complete import Completing
    from activities.confirm import Confirming
    from activities.edit import Editing
    from activities.posts import PostActivities
    from activities.prepare import Preparing
    from activities.publish import Publishing
    from domain.outcome import Outcome
    from domain.plan import Plan, TargetPlan, Unscheduled
    from domain.post import TargetStatus
    from workflows.details import name_of
    from workflows.messages import EditRequest

T = TypeVar("T")
_NOTHING = timedelta(0)
_SHORTEST = timedelta(seconds=30)
_URGENT = Priority(priority_key=options.URGENT)
_WAITS = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
"""A cancelled post is written off once no step of it runs any more."""


def _command(plan: Plan, target: TargetPlan) -> TargetCommand:
    return TargetCommand(
        post_id=plan.post_id,
        request_id=plan.request_id,
        version=plan.version,
        target_id=target.target_id,
        platform=target.platform,
        tries=target.tries,
    )


async def prepare(plan: Plan, target: TargetPlan) -> None:
    """Upload and build ahead of time; if that fails, it is done again when the post is due."""
    try:
        await workflow.execute_activity_method(
            Preparing.prepare,
            _command(plan, target),
            task_queue=options.queue_of(target.platform),
            schedule_to_close_timeout=max(plan.due_at + options.PREPARE_BEYOND - workflow.now(), _SHORTEST),
            heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
            retry_policy=options.retry_policy(target.platform),
            cancellation_type=_WAITS,
            summary=name_of(target),
        )
    except ActivityError:
        workflow.logger.info("not prepared ahead", extra={"target_id": target.target_id})


async def publish_locally(plan: Plan, target: TargetPlan, deadline: datetime) -> Outcome | None:
    """Publish to one target within this workflow's task; if that takes long, `publish` continues it.

    Returns None if the target must be published through its platform's queue.
    """
    try:
        return await workflow.execute_local_activity_method(
            Publishing.publish,
            _command(plan, target),
            schedule_to_close_timeout=max(deadline - workflow.now(), _SHORTEST),
            retry_policy=RetryPolicy(maximum_attempts=1),
            cancellation_type=_WAITS,
            summary=name_of(target),
        )
    except FailureError as error:
        # The failure of a local activity is raised without an ActivityError around it.
        said = _said_in(error)
        if said and said.type == options.CONTINUES:
            (target.continues_on,) = said.details
            return None
        return _refusal_in(error)


async def publish(plan: Plan, target: TargetPlan, deadline: datetime) -> Outcome:
    """Publish to one target; tried again until the deadline if certainly nothing was sent."""
    if deadline <= workflow.now():
        return await give_up(plan, target, GiveUpReason.WINDOW_PASSED)
    try:
        if (queue := target.continues_on) and (outcome := await _continue_as_activity(plan, target, deadline, queue)):
            return outcome
        return await _publish(plan, target, deadline, options.queue_of(target.platform))
    except ActivityError as error:
        return _refusal_in(error) or await give_up(plan, target, GiveUpReason.WINDOW_PASSED)


async def _continue_as_activity(plan: Plan, target: TargetPlan, deadline: datetime, queue: str) -> Outcome | None:
    """Continue a local activity as an activity of the same worker; None if that worker declines, or is gone."""
    target.continues_on = None
    try:
        return await _publish(plan, target, deadline, queue, options.CONTINUES_WITHIN)
    except ActivityError as error:
        if _is_declined(error):
            return None
        raise


def _is_declined(error: FailureError) -> bool:
    not_begun = isinstance(error.cause, TimedOut) and error.cause.type is TimeoutType.SCHEDULE_TO_START
    said = _said_in(error)
    return not_begun or (said is not None and said.type == options.DECLINED)


def _said_in(error: FailureError) -> ApplicationError | None:
    said = error.cause if isinstance(error, ActivityError) else error
    return said if isinstance(said, ApplicationError) else None


async def _publish(
    plan: Plan, target: TargetPlan, deadline: datetime, queue: str, begun_within: timedelta | None = None
) -> Outcome:
    return await workflow.execute_activity_method(
        Publishing.publish,
        _command(plan, target),
        task_queue=queue,
        schedule_to_start_timeout=begun_within,
        schedule_to_close_timeout=max(deadline - workflow.now(), _SHORTEST),
        start_to_close_timeout=options.STEP_TIMEOUT,
        heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
        retry_policy=options.retry_policy(target.platform),
        cancellation_type=_WAITS,
        summary=name_of(target),
        priority=_URGENT if plan.immediate else Priority.default,
    )


def _refusal_in(error: FailureError) -> Outcome | None:
    """Return the outcome of a step that was refused for good, None if it failed otherwise. Raises if cancelled."""
    if is_cancelled_exception(error):
        raise error
    said = _said_in(error)
    return Outcome.model_validate(said.details[0]) if said and said.non_retryable and said.details else None


async def confirm(plan: Plan, target: TargetPlan) -> Outcome:
    """Try to confirm a send, repeatedly on durable timers, until it is found, ruled out or given up.

    Attempts that a person asks for come in addition: however often they ask, the next attempt is no later for it.
    """
    target.confirm_until = target.confirm_until or workflow.now() + options.CONFIRM_WITHIN
    while True:
        # An earlier run of the workflow may have made some of the attempts, and have set the time of the next one.
        wait = options.confirm_wait(target.confirm_attempts)
        target.next_confirm_at = target.next_confirm_at or workflow.now() + wait
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                partial(_is_released, target),
                timeout=max(target.next_confirm_at - workflow.now(), _NOTHING),
                timeout_summary=f"confirm on {name_of(target)}",
            )
        again_in = target.next_confirm_at - workflow.now()
        if not target.released or again_in <= _NOTHING:
            target.next_confirm_at, target.confirm_attempts = None, target.confirm_attempts + 1
            again_in = options.confirm_wait(target.confirm_attempts)
        target.released = False
        try:
            outcome = await workflow.execute_activity_method(
                Confirming.confirm,
                ConfirmCommand(**_command(plan, target).model_dump(), again_in=again_in),
                task_queue=options.queue_of(target.platform),
                schedule_to_close_timeout=options.CONFIRM_TIMEOUT,
                heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
                retry_policy=options.retry_policy(target.platform),
                cancellation_type=_WAITS,
                summary=name_of(target),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
        else:
            if outcome.stale or outcome.status is not TargetStatus.UNCONFIRMED or not outcome.confirming:
                return outcome
        _stop_if_cancelled()
        if workflow.now() >= target.confirm_until:
            return await give_up(plan, target, GiveUpReason.UNCONFIRMED)


def _is_released(target: TargetPlan) -> bool:
    return target.released


def _stop_if_cancelled() -> None:
    """Raise CancelledError if the step's coroutine was cancelled while an activity ran that ended all the same."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


async def complete(plan: Plan, target: TargetPlan) -> Outcome:
    """Do the steps after a publication (a permalink, a first comment), or save that they could not be done in time."""
    try:
        return await workflow.execute_activity_method(
            Completing.complete,
            _command(plan, target),
            task_queue=options.queue_of(target.platform),
            schedule_to_close_timeout=options.COMPLETE_WITHIN,
            heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
            retry_policy=options.retry_policy(target.platform),
            cancellation_type=_WAITS,
            summary=name_of(target),
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return await give_up(plan, target, GiveUpReason.INCOMPLETE)


async def edit(plan: Plan, target: TargetPlan, request: EditRequest) -> Outcome | None:
    """Edit one published target. Raises ActivityError if the platform's time for edits ended meanwhile."""
    return await workflow.execute_activity_method(
        Editing.edit,
        EditCommand(
            post_id=plan.post_id,
            request_id=request.request_id,
            version=plan.version,
            target_id=target.target_id,
            platform=target.platform,
            revision_id=request.revision_id,
        ),
        task_queue=options.queue_of(target.platform),
        schedule_to_close_timeout=max(options.edit_window(target.platform), _SHORTEST),
        start_to_close_timeout=options.CONFIRM_TIMEOUT,
        heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
        retry_policy=options.retry_policy(target.platform),
        cancellation_type=_WAITS,
        summary=name_of(target),
    )


async def give_up(plan: Plan, target: TargetPlan, reason: GiveUpReason) -> Outcome:
    """Settle a target that was tried long enough."""
    return await workflow.execute_local_activity_method(
        PostActivities.give_up,
        GiveUpCommand(**_command(plan, target).model_dump(), code=reason),
        start_to_close_timeout=options.DATABASE_TIMEOUT,
        retry_policy=options.DATABASE_RETRY,
        summary=f"{name_of(target)}: {reason}",
    )


async def read_plan(plan: Plan) -> Plan | Unscheduled | None:
    """Return the plan in the post's row; None if the post is deleted."""
    return await _of_the_post(plan, PostActivities.read_plan, "the row has changed: read it")


async def reopen(plan: Plan) -> Plan | None:
    """Reopen failed targets; return the new plan, None if the post is a draft, or deleted."""
    return await _of_the_post(plan, PostActivities.reopen, "reopen what failed")


async def write_off(plan: Plan) -> Plan | Unscheduled | None:
    """Put the rows of the cancelled post to rest; return their plan, None if it is deleted."""
    return await _of_the_post(plan, PostActivities.write_off, "write off what was cancelled")


async def _of_the_post(plan: Plan, step: Callable[[PostActivities, PostCommand], Awaitable[T]], summary: str) -> T:
    return await workflow.execute_activity_method(
        step,
        PostCommand(post_id=plan.post_id, request_id=plan.request_id),
        task_queue=options.POSTS_QUEUE,
        start_to_close_timeout=options.DATABASE_TIMEOUT,
        retry_policy=options.DATABASE_RETRY,
        summary=summary,
    )
