"""Reach posts' workflows from outside: start them, and send them what clients ask for."""

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.options import POSTS_QUEUE
from domain.errors import Conflict, PostsError, Problem, Unprocessable
from domain.plan import Plan
from domain.post import PostStatus, TargetStatus
from workflows.details import summary
from workflows.failures import AWAY, answering, unavailable
from workflows.messages import (
    ALREADY_PUBLISHING,
    NOT_EDITABLE,
    NOT_UNCONFIRMED,
    NOTHING_TO_RETRY,
    Amendment,
    Deletion,
    EditRequest,
    Resolution,
)
from workflows.post import PostWorkflow
from workflows.queues import Queues
from workflows.search_attributes import attributes_of

log = structlog.get_logger(__name__)

_PATIENCE = timedelta(seconds=10)
"""How long a caller waits for Temporal or a worker before it is told to ask again."""
_CATCHING_UP_S = (0.05, 0.15, 0.4, 0.8)
_BETWEEN_RUNS_S = (0.02, 0.1, 0.3)
_MOMENT_S = 0.1
_URGENT, _SCHEDULED = 2, 3


class PostWorkflows:
    """Start posts' workflows and send them what clients ask for.

    Every request is an update with start: it reaches a workflow that is asleep, and where it has ended, or never began,
    a fresh run starts from the row.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.queues = Queues(client)

    async def start(self, plan: Plan, *, signal: str | None = None) -> None:
        """Start a post's workflow unless it runs already, and send it a signal if one is given. Raises Unavailable."""
        async with answering(_PATIENCE.total_seconds()):
            await self._client.start_workflow(
                PostWorkflow.run,
                plan,
                id=plan.workflow_id,
                task_queue=POSTS_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                search_attributes=attributes_of(plan, _first_status(plan)),
                static_summary=summary(plan),
                priority=_priority(plan),
                start_signal=signal,
                rpc_timeout=_PATIENCE,
            )

    async def amend(self, plan: Plan, revision_id: str, reason: str | None = None) -> None:
        """Apply a saved change to a scheduled post. Raises Conflict where its publishing has begun, Unavailable."""
        amendment = Amendment(revision_id=revision_id, request_id=plan.request_id, reason=reason)
        await self._update(PostWorkflow.amend, amendment, plan)

    async def delete(self, plan: Plan) -> bool:
        """Delete a post; on return its row is gone and nothing is sent. False where it was gone already.

        Raises Conflict while it is published, and where it has been since the plan was made; Unavailable.
        """
        deletion = Deletion(unsent=not any(target.may_be_public for target in plan.targets))
        deleted: bool | None = await self._update_at_rest(PostWorkflow.delete, deletion, plan)
        return deleted is not False

    async def retry(self, plan: Plan) -> None:
        """Publish again to what failed; returns once that has begun. Raises Conflict, Unavailable."""
        await self._update_at_rest(PostWorkflow.retry, None, plan)

    async def edit(self, plan: Plan, revision_id: str, target_ids: Sequence[str] = ()) -> None:
        """Begin a saved edit; its revision's row tells how it went. Raises Unprocessable, Unavailable."""
        request = EditRequest(revision_id=revision_id, request_id=plan.request_id, target_ids=list(target_ids))
        await self._update_at_rest(PostWorkflow.edit, request, plan)

    async def resolve(self, plan: Plan, target_id: str, platform_post_id: str | None, *, published: bool) -> None:
        """Settle an unconfirmed target as a person says. Raises Conflict where it is not unconfirmed, Unavailable."""
        resolution = Resolution(
            target_id=target_id,
            published=published,
            platform_post_id=platform_post_id,
            request_id=plan.request_id,
        )
        await self._update_at_rest(PostWorkflow.resolve, resolution, plan)

    async def release(self, plan: Plan) -> None:
        """Tell a post that its held targets may go on. Raises Unavailable."""
        await self.start(plan, signal="release")

    async def _update_at_rest(self, update: Any, argument: Any, plan: Plan) -> Any:
        """Send an update, return its result; where the post's row is at rest, allow its workflow a moment to learn so.

        Where the row still moves, the first answer is the one definite answer: a post that was about to be sent when
        its deletion was asked for must not be deleted because it has been sent meanwhile.
        """
        for wait in () if any(target.moving for target in plan.targets) else _CATCHING_UP_S:
            try:
                return await self._update(update, argument, plan)
            except (Conflict, Unprocessable):
                await asyncio.sleep(wait)
        return await self._update(update, argument, plan)

    async def _update(self, update: Any, argument: Any, plan: Plan) -> Any:
        arguments = [] if argument is None else [argument]
        # One id for all tries: should an earlier one have been accepted after all, its result is the answer.
        update_id = str(uuid.uuid4())
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                for wait in _BETWEEN_RUNS_S:
                    try:
                        return await self._update_with_start(update, arguments, update_id, plan)
                    except RPCError as error:
                        # A run that ends, or goes on in a new one, just when an update comes, takes it not.
                        if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                            raise
                        await asyncio.sleep(wait)
                return await self._update_with_start(update, arguments, update_id, plan)
        except WorkflowUpdateFailedError as error:
            raise _refusal(error) from error
        except (*AWAY, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise unavailable() from error

    async def _update_with_start(self, update: Any, arguments: list[Any], update_id: str, plan: Plan) -> Any:
        operation = WithStartWorkflowOperation(
            PostWorkflow.run,
            plan,
            id=plan.workflow_id,
            task_queue=POSTS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=attributes_of(plan, _first_status(plan)),
            static_summary=summary(plan),
            priority=_priority(plan),
        )
        try:
            return await self._client.execute_update_with_start_workflow(
                update, args=arguments, id=update_id, start_workflow_operation=operation, rpc_timeout=_PATIENCE
            )
        except BaseException:
            # A start that failed leaves its future behind; nobody else would ever look at it.
            with contextlib.suppress(Exception):
                await asyncio.wait_for(operation.workflow_handle(), _MOMENT_S)
            raise


def _first_status(plan: Plan) -> PostStatus:
    if all(target.status is TargetStatus.PENDING for target in plan.targets):
        return PostStatus.PUBLISHING if plan.immediate else PostStatus.SCHEDULED
    return plan.status


def _priority(plan: Plan) -> Priority:
    # The workspace as fairness key: one customer's ten thousand posts do not delay another's one.
    return Priority(priority_key=_URGENT if plan.immediate else _SCHEDULED, fairness_key=plan.workspace_id[:64])


_REFUSALS: dict[str, tuple[type[PostsError], Problem]] = {
    ALREADY_PUBLISHING: (
        Conflict,
        Problem("The post is being published or has been published already", "conflict"),
    ),
    NOTHING_TO_RETRY: (Conflict, Problem("No target of this post has failed", NOTHING_TO_RETRY)),
    NOT_UNCONFIRMED: (Conflict, Problem("This target is not unconfirmed, so there is nothing to resolve", "conflict")),
    NOT_EDITABLE: (Unprocessable, Problem("The post has no published target that can be edited", NOT_EDITABLE)),
}


def _refusal(error: WorkflowUpdateFailedError) -> PostsError:
    kind = error.cause.type if isinstance(error.cause, ApplicationError) else None
    if kind not in _REFUSALS:
        log.error("update.failed", kind=kind or type(error.cause).__name__)
        return unavailable()
    refusal, problem = _REFUSALS[kind]
    return refusal(problem)
