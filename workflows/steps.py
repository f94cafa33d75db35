"""Run the activities of a post's workflow, each with its queue, timeouts, retry policy and a name for the Web UI."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TimedOut

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.commands import (
        EditCommand,
        GiveUp,
        LookCommand,
        PostCommand,
        Reopen,
        Resolve,
        RevisionCommand,
        TargetCommand,
    )
    from activities.complete import Completing
    from activities.confirm import Confirming
    from activities.edit import Editing
    from activities.posts import Posts
    from activities.publish import Publishing
    from domain.outcome import Outcome
    from domain.plan import Plan, TargetPlan
    from domain.post import TargetStatus
    from workflows.details import name_of
    from workflows.messages import Amendment, EditRequest, Resolution

_NOTHING = timedelta(0)
_SHORTEST = timedelta(seconds=30)
_Command = TypeVar("_Command")
_Result = TypeVar("_Result")


def _command(plan: Plan, target: TargetPlan) -> TargetCommand:
    return TargetCommand(
        post_id=plan.post_id, request_id=plan.request_id, target_id=target.target_id, platform=target.platform
    )


async def prepare(plan: Plan, target: TargetPlan) -> None:
    """Upload and build ahead of time; what fails here is done again when the post is due."""
    try:
        await workflow.execute_activity_method(
            Publishing.prepare,
            _command(plan, target),
            task_queue=options.queue_of(target.platform),
            schedule_to_close_timeout=max(plan.due_at - workflow.now(), _SHORTEST),
            heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
            retry_policy=options.retry_policy(target.platform),
            summary=name_of(target),
        )
    except ActivityError:
        workflow.logger.info("not prepared ahead", extra={"target_id": target.target_id})


async def publish(plan: Plan, target: TargetPlan, deadline: datetime) -> Outcome:
    """Publish to one target, tried again until the deadline where surely nothing was sent."""
    if deadline <= workflow.now():
        return await give_up(plan, target, "publish_window_passed")
    try:
        if target.at_hand and (outcome := await _publish_at_hand(plan, target, deadline)):
            return outcome
        return await _publish(plan, target, deadline, options.queue_of(target.platform))
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return _refusal_in(error) or await give_up(plan, target, "publish_window_passed")


async def _publish_at_hand(plan: Plan, target: TargetPlan, deadline: datetime) -> Outcome | None:
    """Publish on the workflow's own queue; None where that leaves it to the network's."""
    target.at_hand = False
    try:
        return await _publish(plan, target, deadline, options.POSTS_QUEUE, options.AT_HAND_WITHIN)
    except ActivityError as error:
        if _is_left(error):
            return None
        raise


def _is_left(error: ActivityError) -> bool:
    cause = error.cause
    not_begun = isinstance(cause, TimedOut) and cause.type is TimeoutType.SCHEDULE_TO_START
    return not_begun or (isinstance(cause, ApplicationError) and cause.type == options.LEFT)


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
        summary=name_of(target),
    )


def _refusal_in(error: ActivityError) -> Outcome | None:
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.non_retryable and cause.details:
        return Outcome.model_validate(cause.details[0])
    return None


async def confirm(plan: Plan, target: TargetPlan) -> Outcome:
    """Look for an unclear send, again and again on durable timers, until it is found, ruled out or given up."""
    target.look_until = target.look_until or workflow.now() + options.LOOK_UP_WITHIN
    # An earlier run of the workflow may have looked already, and have been about to look again.
    for wait, next_wait in islice(pairwise(options.lookup_waits()), target.looks, None):
        target.look_at = target.look_at or workflow.now() + wait
        await workflow.sleep(
            max(target.look_at - workflow.now(), _NOTHING), summary=f"look for it on {name_of(target)}"
        )
        target.look_at, target.looks = None, target.looks + 1
        try:
            outcome = await workflow.execute_activity_method(
                Confirming.confirm,
                LookCommand(**_command(plan, target).model_dump(), again_in=next_wait),
                task_queue=options.queue_of(target.platform),
                schedule_to_close_timeout=options.LOOKUP_TIMEOUT,
                heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
                retry_policy=options.retry_policy(target.platform),
                summary=name_of(target),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
        else:
            if outcome.gone or outcome.status is not TargetStatus.UNCONFIRMED or not outcome.looking:
                return outcome
        if workflow.now() >= target.look_until:
            break
    return await give_up(plan, target, "unconfirmed")


async def complete(plan: Plan, target: TargetPlan) -> Outcome:
    """Do what follows a publication (a permalink, a first comment), or say that it could not be done in time."""
    try:
        return await workflow.execute_activity_method(
            Completing.complete,
            _command(plan, target),
            task_queue=options.queue_of(target.platform),
            schedule_to_close_timeout=options.COMPLETE_WITHIN,
            heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
            retry_policy=options.retry_policy(target.platform),
            summary=name_of(target),
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return await give_up(plan, target, "incomplete")


async def edit(plan: Plan, target: TargetPlan, request: EditRequest) -> Outcome | None:
    """Edit one published target. Raises ActivityError where the network's window closed over it."""
    return await workflow.execute_activity_method(
        Editing.edit,
        EditCommand(
            post_id=plan.post_id,
            request_id=request.request_id,
            target_id=target.target_id,
            platform=target.platform,
            revision_id=request.revision_id,
        ),
        task_queue=options.queue_of(target.platform),
        schedule_to_close_timeout=max(options.edit_window(target.platform), _SHORTEST),
        start_to_close_timeout=options.LOOKUP_TIMEOUT,
        heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
        retry_policy=options.retry_policy(target.platform),
        summary=name_of(target),
    )


async def give_up(plan: Plan, target: TargetPlan, code: str) -> Outcome:
    """Settle a target that was tried long enough."""
    return await workflow.execute_local_activity_method(
        Posts.give_up,
        GiveUp(**_command(plan, target).model_dump(), code=code),
        start_to_close_timeout=options.DATABASE_TIMEOUT,
        retry_policy=options.DATABASE_RETRY,
        summary=f"{name_of(target)}: {code}",
    )


async def resolve(plan: Plan, target: TargetPlan, resolution: Resolution) -> Outcome:
    """Settle an unconfirmed target as a person says."""
    return await workflow.execute_local_activity_method(
        Posts.resolve,
        Resolve(
            **_command(plan, target).model_dump(exclude={"request_id"}),
            request_id=resolution.request_id,
            published=resolution.published,
            platform_post_id=resolution.platform_post_id,
        ),
        start_to_close_timeout=options.DATABASE_TIMEOUT,
        retry_policy=options.DATABASE_RETRY,
        summary=f"{name_of(target)}: resolved by a person",
    )


async def delete(plan: Plan) -> bool:
    """Delete the post's rows; False where another deletion came first."""
    deleted = await workflow.execute_local_activity_method(
        Posts.delete,
        PostCommand(post_id=plan.post_id, request_id=plan.request_id),
        start_to_close_timeout=options.DATABASE_TIMEOUT,
        retry_policy=options.DATABASE_RETRY,
        summary="delete the post",
    )
    return deleted is not False


async def amend(plan: Plan, amendment: Amendment) -> Plan | None:
    """Apply a saved change; return the plan as it is then, None where the post is a draft now."""
    command = RevisionCommand(post_id=plan.post_id, request_id=amendment.request_id, revision_id=amendment.revision_id)
    summary = amendment.reason or "apply the change"
    changed = await _once_accepted("amend-accepted-first", Posts.amend, command, summary)
    return changed and changed.model_copy(update={"request_id": plan.request_id})


async def reopen(plan: Plan) -> list[str]:
    """Make what failed pending again; return the ids of the targets to work on."""
    failed = [target.target_id for target in plan.failed]
    command = Reopen(post_id=plan.post_id, request_id=plan.request_id, target_ids=failed)
    return await _once_accepted("retry-accepted-first", Posts.reopen, command, "reopen what failed")


async def _once_accepted(
    patch: str, step: Callable[[Posts, _Command], Awaitable[_Result]], command: _Command, summary: str
) -> _Result:
    """Write rows for an update that Temporal has accepted for good.

    A local activity runs while the task that accepts the update is open, and a Temporal that dies then forgets the
    update: the rows would say what their workflow has not heard of.
    """
    if workflow.patched(patch):
        return await workflow.execute_activity_method(
            step,
            command,
            task_queue=options.POSTS_QUEUE,
            start_to_close_timeout=options.DATABASE_TIMEOUT,
            retry_policy=options.DATABASE_RETRY,
            summary=summary,
        )
    return await workflow.execute_local_activity_method(
        step,
        command,
        start_to_close_timeout=options.DATABASE_TIMEOUT,
        retry_policy=options.DATABASE_RETRY,
        summary=summary,
    )
