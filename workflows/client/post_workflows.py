"""A client of posts' workflows: it starts them and delivers plans and requests."""

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.options import POSTS_QUEUE, SCHEDULED, URGENT
from domain.errors import PostsError, Problem, Unavailable, Unprocessable
from domain.ownership import BULK_LEAD, FoundRun, classify_found_run
from domain.plan import Plan
from domain.temporal_limits import LONGEST_FAIRNESS_KEY
from workflows.client.failures import AWAY, answering, is_not_found, unavailable
from workflows.client.queues import Queues
from workflows.details import summary
from workflows.messages import MEMO_POST, EditRequest, Rejection, Unschedule
from workflows.post import PostWorkflow
from workflows.search_attributes import post_attributes
from workflows.short import (
    WITHIN,
    AccountPlan,
    AccountWorkflow,
    ChoicesPlan,
    ChoicesWorkflow,
    ConnectPlan,
    ConnectWorkflow,
    MediaCheckPlan,
    MediaCheckWorkflow,
)

log = structlog.get_logger(__name__)

_TIMEOUT = timedelta(seconds=10)
"""How long a caller waits for Temporal or a worker before it gets an error that says to ask again."""
_EDIT_PAUSES_S = (0.05, 0.15, 0.4, 0.8)
"""The pauses between the tries of an edit that comes before the run knows that its post is published."""
_UPDATE_PAUSES_S = (0.02, 0.1, 0.3)
"""The pauses between the tries of an update that meets the end of a run."""
_HANDLE_TIMEOUT_S = 0.1
P = TypeVar("P", MediaCheckPlan, ConnectPlan, AccountPlan, ChoicesPlan)


class AnotherPost(Exception):
    """An error: the workflow id of a post belongs to another post's run, whose rows are lost."""

    def __init__(self, started_at: datetime) -> None:
        super().__init__("another post has this workflow id")
        self.started_at = started_at
        """The start of the latest run of the other post. An earlier run may have published the post."""


class PostWorkflows:
    """The workflows of posts, for the API and the worker.

    `eager`: a worker of this process that has no version runs the first tasks of the workflows that it starts. One with
    a version must not: Temporal would not ask whether its version is the current one.
    """

    def __init__(self, client: Client, *, eager: bool = False) -> None:
        self._client = client
        self._eager = eager
        self.queues = Queues(client)

    async def start(self, plan: Plan) -> None:
        """Start the first run of a post. If an earlier try has started a run, that run gets the plan.

        Raises AnotherPost, Unavailable.
        """
        try:
            async with answering(_TIMEOUT.total_seconds()):
                await self._client.start_workflow(
                    PostWorkflow.run,
                    plan,
                    **_start_options(plan),
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    request_eager_start=self._eager and _only_sleeps(plan),
                    rpc_timeout=_TIMEOUT,
                )
        except WorkflowAlreadyStartedError:
            await self._require_same_post(plan)
            await self.update_plan(plan)

    async def update_plan(self, plan: Plan) -> None:
        """Send the plan to the running workflow of a post; if none runs, start one with it.

        Raises AnotherPost, Unavailable.
        """
        await self._update(PostWorkflow.update_plan, plan, plan)

    async def unschedule(self, workflow_id: str, post_id: str, version: int, *, deleted: bool = False) -> None:
        """End a post's workflow, if one runs, because the post is a draft or deleted since `version`.

        Raises Unavailable.
        """
        try:
            async with answering(_TIMEOUT.total_seconds()):
                handle = self._client.get_workflow_handle(workflow_id)
                request = Unschedule(post_id=post_id, version=version, deleted=deleted)
                await handle.signal(PostWorkflow.unschedule, request, rpc_timeout=_TIMEOUT)
        except Unavailable as error:
            if error.__cause__ is None or not is_not_found(error.__cause__):
                raise

    async def edit(self, plan: Plan, revision_id: str, target_ids: Sequence[str] = ()) -> None:
        """Begin a saved edit; its result is in the revision's row. Raises Unprocessable, Unavailable."""
        request = EditRequest(revision_id=revision_id, request_id=plan.request_id, target_ids=list(target_ids))
        for wait in _EDIT_PAUSES_S:
            try:
                return await self._update(PostWorkflow.edit, request, plan)
            except Unprocessable:
                # The row says that the post is published a moment before its workflow knows.
                await asyncio.sleep(wait)
        return await self._update(PostWorkflow.edit, request, plan)

    async def check_media(self, plan: MediaCheckPlan) -> None:
        """Run the check of a saved validation's files; return when it has ended, or at the time limit.

        Raises Unavailable.
        """
        await self._run_short(MediaCheckWorkflow.run, plan, plan.check_id)

    async def connect(self, plan: ConnectPlan) -> None:
        """Run a step of a connection; return when it has ended, or at the time limit. Raises Unavailable."""
        await self._run_short(ConnectWorkflow.run, plan, f"{plan.connection_id}/{plan.step}")

    async def account(self, plan: AccountPlan) -> None:
        """Run the check or removal of an account; return when it has ended, or at the time limit. Raises Unavailable.

        Concurrent requests for the same step wait for one run.
        """
        digest = hashlib.sha256(f"{plan.workspace_id}/{plan.account_id}".encode()).hexdigest()
        await self._run_short(AccountWorkflow.run, plan, f"account_{digest[:40]}/{plan.step}")

    async def choices(self, plan: ChoicesPlan) -> None:
        """Run a request for a setting's values; return when it ends, or at the time limit. Raises Unavailable."""
        await self._run_short(ChoicesWorkflow.run, plan, plan.list_id)

    async def release(self, plan: Plan) -> None:
        """Signal a post's workflow that its held targets may continue. Raises Unavailable."""
        async with answering(_TIMEOUT.total_seconds()):
            await self._client.start_workflow(
                PostWorkflow.run,
                plan,
                **_start_options(plan),
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                start_signal="release",
                rpc_timeout=_TIMEOUT,
            )

    async def _run_short(self, run: Callable[[Any, P], Awaitable[None]], plan: P, workflow_id: str) -> None:
        """Run a workflow for which a client waits; return when it ends, or at its time limit. Raises Unavailable."""
        async with answering(_TIMEOUT.total_seconds()):
            handle = await self._client.start_workflow(
                run,
                plan,
                id=workflow_id,
                task_queue=POSTS_QUEUE,
                execution_timeout=WITHIN,
                priority=_priority(plan.workspace_id, URGENT),
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                rpc_timeout=_TIMEOUT,
            )
        with contextlib.suppress(TimeoutError, WorkflowFailureError):
            async with asyncio.timeout(WITHIN.total_seconds()):
                await handle.result()

    async def _require_same_post(self, plan: Plan) -> None:
        """Raise AnotherPost if the latest run under a plan's workflow id is another post's. Raises Unavailable."""
        async with answering(_TIMEOUT.total_seconds()):
            owner = await self._client.get_workflow_handle(plan.workflow_id).describe(rpc_timeout=_TIMEOUT)
            memo = await owner.memo()
        if classify_found_run(plan.post_id, memo.get(MEMO_POST)) is FoundRun.OTHER_POST:
            raise AnotherPost(owner.start_time)

    async def _update(self, update: Any, argument: Any, plan: Plan) -> None:
        """Send an update; if no run exists, start one. Raises AnotherPost, Unprocessable, Unavailable."""
        # One id for all tries: if an earlier try was accepted after all, its result is the response.
        update_id = str(uuid.uuid4())
        try:
            async with asyncio.timeout(_TIMEOUT.total_seconds()):
                for wait in _UPDATE_PAUSES_S:
                    try:
                        return await self._update_with_start(update, argument, update_id, plan)
                    except RPCError as error:
                        # An update fails with this error if the run closes or continues as new at the same time.
                        if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                            raise
                        await asyncio.sleep(wait)
                return await self._update_with_start(update, argument, update_id, plan)
        except WorkflowUpdateFailedError as error:
            rejection = error.cause.type if isinstance(error.cause, ApplicationError) else None
            if rejection == Rejection.ANOTHER_POST:
                await self._require_same_post(plan)
            raise _error_for(rejection) from error
        except (*AWAY, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise unavailable() from error

    async def _update_with_start(self, update: Any, argument: Any, update_id: str, plan: Plan) -> None:
        operation = WithStartWorkflowOperation(
            PostWorkflow.run,
            plan,
            **_start_options(plan),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )
        try:
            await self._client.execute_update_with_start_workflow(
                update, argument, id=update_id, start_workflow_operation=operation, rpc_timeout=_TIMEOUT
            )
        except BaseException:
            # A failed start leaves its future unread; asyncio would log its error.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_HANDLE_TIMEOUT_S):
                    await operation.workflow_handle()
            raise


def _start_options(plan: Plan) -> dict[str, Any]:
    """Return the options with which every run of a post is started, including what operators see of it."""
    return {
        "id": plan.workflow_id,
        "task_queue": POSTS_QUEUE,
        "search_attributes": post_attributes(plan, plan.first_status),
        "static_summary": summary(plan),
        "priority": _priority(plan.workspace_id, URGENT if plan.immediate else SCHEDULED),
        "memo": {MEMO_POST: plan.post_id},
    }


def _only_sleeps(plan: Plan) -> bool:
    """Return whether the first task of a post's workflow begins its sleep and nothing else.

    The process that starts it may then get this task in the answer: the start costs Temporal a quarter less, and no
    task waits in the queue in front of posts that are due. A task that publishes waits there for its workspace's share.
    """
    return plan.untouched and not plan.immediate and plan.due_at > datetime.now(UTC) + BULK_LEAD


def _priority(workspace_id: str, priority: int) -> Priority:
    # The workspace is the fairness key, so that one customer's ten thousand posts do not delay another's single post.
    return Priority(priority_key=priority, fairness_key=workspace_id[:LONGEST_FAIRNESS_KEY])


def _error_for(rejection: str | None) -> PostsError:
    """Return the error for the caller of a rejected update."""
    if rejection == Rejection.NOT_EDITABLE:
        return Unprocessable(Problem("The post has no published target that can be edited", "edit_not_supported"))
    if rejection != Rejection.CANCELLED:
        log.error("update.failed", kind=rejection)
    return unavailable()
