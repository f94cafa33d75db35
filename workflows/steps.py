"""Functions that run the activities of a post's workflow, each with its queue, timeouts, retry policy and name."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypedDict, TypeVar

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TimedOut

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.commands import ConfirmCommand, EditCommand, GiveUpCommand, GiveUpReason, PostCommand, TargetCommand
    from activities.complete import Completing, Editing
    from activities.confirm import Confirming
    from activities.posts import PostActivities
    from activities.prepare import Preparing
    from activities.publish import Publishing
    from domain.plan import Outcome, Plan, TargetPlan, Unscheduled
    from workflows.details import account_name
    from workflows.messages import EditRequest

T = TypeVar("T")
_SHORTEST = timedelta(seconds=30)
_URGENT = Priority(priority_key=options.URGENT)
_WAIT_FOR_END = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
"""A cancelled post is written off only once no step of it runs."""


class _PlatformOptions(TypedDict):
    """The options that all activities of a platform's queue have."""

    task_queue: str
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: workflow.ActivityCancellationType
    summary: str


def _platform_options(target: TargetPlan, queue: str | None = None) -> _PlatformOptions:
    """Return the options of a target's activity on its platform's queue, or on another one that is given."""
    return {
        "task_queue": queue or options.platform_queue(target.platform),
        "heartbeat_timeout": options.HEARTBEAT_TIMEOUT,
        "retry_policy": options.RETRY_POLICY,
        "cancellation_type": _WAIT_FOR_END,
        "summary": account_name(target),
    }


def _command(plan: Plan, target: TargetPlan) -> TargetCommand:
    return TargetCommand(
        post_id=plan.post_id,
        request_id=plan.request_id,
        version=plan.version,
        target_id=target.target_id,
        platform=target.platform,
        tries=target.tries,
        urgent=plan.immediate,
    )


async def prepare(plan: Plan, target: TargetPlan) -> None:
    """Upload and build ahead of time; if that fails, it is done again when the post is due."""
    try:
        await workflow.execute_activity_method(
            Preparing.prepare,
            _command(plan, target),
            schedule_to_close_timeout=max(plan.due_at + options.PREPARE_BEYOND - workflow.now(), _SHORTEST),
            **_platform_options(target),
        )
    except ActivityError:
        workflow.logger.info("not prepared ahead", extra={"target_id": target.target_id})


async def publish_locally(plan: Plan, target: TargetPlan, deadline: datetime) -> Outcome | None:
    """Publish to one target within this workflow's task; None if `publish` must begin or continue the step."""
    try:
        return await workflow.execute_local_activity_method(
            Publishing.publish,
            _command(plan, target),
            schedule_to_close_timeout=max(deadline - workflow.now(), _SHORTEST),
            retry_policy=RetryPolicy(maximum_attempts=1),
            cancellation_type=_WAIT_FOR_END,
            summary=account_name(target),
        )
    except FailureError as error:
        # The failure of a local activity is raised without an ActivityError around it.
        reported = _application_error(error)
        if reported and reported.type == options.CONTINUES_AS_ACTIVITY:
            (target.continues_on,) = reported.details
            return None
        return _refusal_in(error)


async def publish(plan: Plan, target: TargetPlan, deadline: datetime) -> Outcome:
    """Publish to one target by an activity; tried again until the deadline if certainly nothing was sent."""
    if deadline <= workflow.now():
        return await give_up(plan, target, GiveUpReason.WINDOW_PASSED)
    try:
        if (queue := target.continues_on) and (outcome := await _continue_as_activity(plan, target, deadline, queue)):
            return outcome
        return await _publish_as_activity(plan, target, deadline)
    except ActivityError as error:
        return _refusal_in(error) or await give_up(plan, target, GiveUpReason.WINDOW_PASSED)


async def _continue_as_activity(plan: Plan, target: TargetPlan, deadline: datetime, queue: str) -> Outcome | None:
    """Continue a local activity as an activity of the same worker; None if that worker declines, or is gone."""
    target.continues_on = None
    try:
        return await _publish_as_activity(plan, target, deadline, queue, options.CONTINUES_WITHIN)
    except ActivityError as error:
        if _is_declined(error):
            return None
        raise


async def _publish_as_activity(
    plan: Plan,
    target: TargetPlan,
    deadline: datetime,
    queue: str | None = None,
    begins_within: timedelta | None = None,
) -> Outcome:
    return await workflow.execute_activity_method(
        Publishing.publish,
        _command(plan, target),
        schedule_to_start_timeout=begins_within,
        schedule_to_close_timeout=max(deadline - workflow.now(), _SHORTEST),
        start_to_close_timeout=options.STEP_TIMEOUT,
        priority=_URGENT if plan.immediate else Priority.default,
        **_platform_options(target, queue),
    )


def _is_declined(error: ActivityError) -> bool:
    """Return whether a worker has not begun a step: it left the step to its platform's queue, or did not take it."""
    if isinstance(error.cause, TimedOut):
        return error.cause.type is TimeoutType.SCHEDULE_TO_START
    reported = _application_error(error)
    return reported is not None and reported.type == options.DECLINED


def _refusal_in(error: FailureError) -> Outcome | None:
    """Return the outcome of a step that was refused for good, None if it failed otherwise. Raises if cancelled."""
    if is_cancelled_exception(error):
        raise error
    reported = _application_error(error)
    if reported is None or not reported.non_retryable or not reported.details:
        return None
    return Outcome.model_validate(reported.details[0])


def _application_error(error: FailureError) -> ApplicationError | None:
    """Return the error that an activity has raised; None if it was cancelled or timed out."""
    cause = error.cause if isinstance(error, ActivityError) else error
    return cause if isinstance(cause, ApplicationError) else None


async def confirm(plan: Plan, target: TargetPlan, again_in: timedelta) -> Outcome | None:
    """Try once to confirm a send; None if that failed. `again_in`: the time until the attempt after this one."""
    try:
        return await workflow.execute_activity_method(
            Confirming.confirm,
            ConfirmCommand(**_command(plan, target).model_dump(), again_in=again_in),
            schedule_to_close_timeout=options.CONFIRM_TIMEOUT,
            **_platform_options(target),
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return None


async def complete(plan: Plan, target: TargetPlan) -> Outcome:
    """Run the steps after a publication (a permalink, a first comment), or save that they could not be done in time."""
    try:
        return await workflow.execute_activity_method(
            Completing.complete,
            _command(plan, target),
            schedule_to_close_timeout=options.COMPLETE_WITHIN,
            **_platform_options(target),
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
        schedule_to_close_timeout=max(options.edit_window(target.platform), _SHORTEST),
        start_to_close_timeout=options.CONFIRM_TIMEOUT,
        **_platform_options(target),
    )


async def give_up(plan: Plan, target: TargetPlan, reason: GiveUpReason) -> Outcome:
    """Settle a target that was tried long enough."""
    return await workflow.execute_local_activity_method(
        PostActivities.give_up,
        GiveUpCommand(**_command(plan, target).model_dump(), code=reason),
        start_to_close_timeout=options.DATABASE_TIMEOUT,
        retry_policy=options.DATABASE_RETRY,
        summary=f"{account_name(target)}: {reason}",
    )


async def read_plan(plan: Plan) -> Plan | Unscheduled | None:
    """Return the plan in the post's row; None if the post is deleted."""
    return await _run_on_post(plan, PostActivities.read_plan, "the row has changed: read it")


async def reopen(plan: Plan) -> Plan | None:
    """Reopen failed targets; return the new plan, None if the post is a draft, or deleted."""
    return await _run_on_post(plan, PostActivities.reopen, "reopen what failed")


async def write_off(plan: Plan) -> Plan | Unscheduled | None:
    """Write off the targets of the cancelled post; return its plan, None if it is deleted."""
    return await _run_on_post(plan, PostActivities.write_off, "write off what was cancelled")


async def _run_on_post(plan: Plan, step: Callable[[PostActivities, PostCommand], Awaitable[T]], summary: str) -> T:
    return await workflow.execute_activity_method(
        step,
        PostCommand(post_id=plan.post_id, request_id=plan.request_id),
        task_queue=options.POSTS_QUEUE,
        start_to_close_timeout=options.DATABASE_TIMEOUT,
        retry_policy=options.DATABASE_RETRY,
        summary=summary,
    )
