"""Queries of the runs of posts' workflows, and their end, for the tools that compare them with rows."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution as Execution
from temporalio.api.enums.v1 import EventType, PendingActivityState, ResetReapplyType
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import SearchAttributeKey

from activities.operators import OperatorRequest, newest_first, requests_among, with_person
from domain.audit import Action
from workflows.client.failures import AWAY, answering, is_not_found
from workflows.client.namespace import read_holder
from workflows.client.queues import Queues
from workflows.messages import StatusView
from workflows.post import PostWorkflow
from workflows.search_attributes import DUE_AT, POST_STATUS, WORKSPACE

_TIMEOUT_S = 10.0
_QUERY_TIMEOUT = timedelta(seconds=5)
"""How long a workflow may take to report its post's state: a worker may have to replay it first."""
_PAGE = 1000
_IDS_PER_QUERY = 100
"""The number of workflow ids in one query of the visibility store."""
_MOST_RUNS = 10
"""The number of runs under one id whose operators' requests are listed."""
_LONGEST_FAILURE = 300
_MOST_EVENTS = 1000
"""The number of newest events that are read of each of these runs."""
_FIRST_EVENTS = 20
"""The first events of a run that are read at a time. Its first task is mostly among them."""
_STUCK_FROM_TRY = 3
"""From this try of one workflow task on, the deployed code does not fit the workflow's history."""
_PROBLEMS = SearchAttributeKey.for_keyword_list("TemporalReportedProblems")
"""Temporal's own attribute: set while a workflow's tasks fail, or end without an answer, repeatedly."""
_TASKS_FAIL = "category=WorkflowTaskFailed"
"""Its value if the code fails, and not the worker that runs it."""


@dataclass(frozen=True, slots=True)
class PendingStep:
    """An activity that its workflow waits for."""

    activity: str
    attempt: int
    running: bool
    beat_at: datetime | None
    """The time of its last heartbeat."""
    next_at: datetime | None
    """The time of its next try; None while a worker has it."""
    failure: str | None = None
    """The failure of its last try, without content."""


@dataclass(frozen=True, slots=True)
class Run:
    """The latest run under a workflow's id. `post_status` and `due_at` are search attributes."""

    workflow_id: str
    run_id: str
    status: WorkflowExecutionStatus
    closed_at: datetime | None
    post_status: str | None
    due_at: datetime | None
    stuck: bool = False
    """Its tasks fail repeatedly: it does nothing until code that fits is deployed."""
    tasks_fail: bool = False
    """The same, as the visibility store lists it, seconds late; and certainly because of the code."""
    task_pending: bool = False
    """A workflow task is pending, so its view of the post may be older than the row."""
    steps: tuple[PendingStep, ...] = ()

    @property
    def running(self) -> bool:
        """Return whether the run is still open."""
        return self.status is WorkflowExecutionStatus.RUNNING


class Runs:
    """The runs of workflows as Temporal knows them. Every method raises Unavailable if Temporal does not respond."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.queues = Queues(client)

    async def namespace_holder(self) -> str | None:
        """Return the id of the installation to which the namespace belongs; None if to none."""
        return await read_holder(self._client)

    async def listed(self, status: str, workspace_id: str | None = None) -> AsyncIterator[Run]:
        """Yield the posts' runs of a status (`Running`, `Failed`), as the visibility store lists them: seconds late."""
        query = f"WorkflowType = '{PostWorkflow.__name__}' AND ExecutionStatus = '{status}'"
        if workspace_id is not None:
            query += f" AND {WORKSPACE.name} = {_quoted(workspace_id)}"
        pages = self._client.list_workflows(query, page_size=_PAGE, rpc_timeout=timedelta(seconds=_TIMEOUT_S))
        while True:
            async with answering(_TIMEOUT_S):
                await pages.fetch_next_page()
            for execution in pages.current_page or ():
                yield _read_run(execution)
            if not pages.next_page_token:
                return

    async def running_among(self, workflow_ids: Iterable[str]) -> list[Run]:
        """Return the runs of these workflows that are certainly running. A run that has just started may be missing."""
        ids = [workflow_id for workflow_id in workflow_ids if _can_be_quoted(workflow_id)]
        runs: list[Run] = []
        for first in range(0, len(ids), _IDS_PER_QUERY):
            named = ", ".join(_quoted(workflow_id) for workflow_id in ids[first : first + _IDS_PER_QUERY])
            query = f"ExecutionStatus = 'Running' AND WorkflowId IN ({named})"
            async with answering(_TIMEOUT_S):
                runs += [
                    _read_run(workflow)
                    async for workflow in self._client.list_workflows(query, page_size=_IDS_PER_QUERY)
                ]
        return runs

    async def latest(self, workflow_id: str) -> Run | None:
        """Return the latest run under an id at this moment; None if Temporal knows none."""
        async with answering(_TIMEOUT_S):
            try:
                description = await self._client.get_workflow_handle(workflow_id).describe(
                    rpc_timeout=timedelta(seconds=_TIMEOUT_S)
                )
            except AWAY as error:
                if is_not_found(error):
                    return None
                raise
        raw = description.raw_description
        steps = tuple(
            PendingStep(
                activity=step.activity_type.name,
                attempt=step.attempt,
                running=step.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
                beat_at=_moment(step, "last_heartbeat_time"),
                next_at=_moment(step, "next_attempt_schedule_time"),
                failure=_failure(step),
            )
            for step in raw.pending_activities
        )
        stuck = raw.pending_workflow_task.attempt >= _STUCK_FROM_TRY
        return _read_run(description, stuck=stuck, task_pending=raw.HasField("pending_workflow_task"), steps=steps)

    async def query_status(self, run: Run) -> StatusView | None:
        """Query a run, closed or not, for its post's state; None if no worker can respond in time."""
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        try:
            return await handle.query(PostWorkflow.status, rpc_timeout=_QUERY_TIMEOUT)
        except (*AWAY, WorkflowQueryFailedError, WorkflowQueryRejectedError, ValueError):
            return None

    async def requests(self, workflow_id: str) -> list[OperatorRequest]:
        """Return people's requests to the latest runs under an id, oldest first.

        Histories end with Temporal's retention, and only the newest events of long ones are read.
        """
        async with answering(_TIMEOUT_S):
            requests = list[OperatorRequest]()
            for run_id in await self._run_ids(workflow_id):
                events = newest_first(self._client, workflow_id, run_id, _MOST_EVENTS)
                own_requests = requests_among(run_id, [event async for event in events])
                requests += [await with_person(self._client, request) for request in own_requests]
        return sorted(requests, key=lambda request: request.at)

    async def _run_ids(self, workflow_id: str) -> list[str]:
        if not _can_be_quoted(workflow_id):
            latest = await self.latest(workflow_id)
            return [latest.run_id] if latest else []
        query = f"WorkflowId = {_quoted(workflow_id)}"
        return [run.run_id async for run in self._client.list_workflows(query, limit=_MOST_RUNS)]

    async def terminated_by(self, run: Run) -> OperatorRequest | None:
        """Return who terminated a run; None if it ended otherwise."""
        if run.status is not WorkflowExecutionStatus.TERMINATED:
            return None
        async with answering(_TIMEOUT_S):
            events = newest_first(self._client, run.workflow_id, run.run_id)
            requests = requests_among(run.run_id, [event async for event in events])
            ended = next((request for request in requests if request.action is Action.TERMINATED), None)
            return await with_person(self._client, ended) if ended else None

    async def cancel(self, run: Run) -> None:
        """Cancel a run, so that it writes off what is not sent, and ends."""
        async with answering(_TIMEOUT_S):
            await self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id).cancel()

    async def begin_again(self, run: Run, reason: str) -> None:
        """Replace a run by one that begins with its first task, and receives all messages again.

        Other code than today's may have written its history. A run that was replaced already stays as it is.
        """
        execution = Execution(workflow_id=run.workflow_id, run_id=run.run_id)
        async with answering(_TIMEOUT_S):
            request = ResetWorkflowExecutionRequest(
                namespace=self._client.namespace,
                workflow_execution=execution,
                reason=reason,
                workflow_task_finish_event_id=await self._first_task(run),
                request_id=f"begin-again-{run.run_id}",
                reset_reapply_type=ResetReapplyType.RESET_REAPPLY_TYPE_ALL_ELIGIBLE,
            )
            await self._client.workflow_service.reset_workflow_execution(request)

    async def _first_task(self, run: Run) -> int:
        """Return the id of the event that ended a run's first task, or that will end it."""
        scheduled = 0
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        async for event in handle.fetch_history_events(page_size=_FIRST_EVENTS):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                return event.event_id
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
                scheduled = scheduled or event.event_id
        # It was scheduled, is started next, and has not ended.
        return scheduled + 1

    async def terminate(self, run: Run, reason: str) -> None:
        """Terminate a run immediately; its post's rows stay unchanged."""
        async with answering(_TIMEOUT_S):
            await self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id).terminate(reason=reason)


def _read_run(
    execution: WorkflowExecution,
    *,
    stuck: bool = False,
    task_pending: bool = False,
    steps: tuple[PendingStep, ...] = (),
) -> Run:
    attributes = execution.typed_search_attributes
    if execution.status is None:
        raise ValueError(f"Temporal gives no status of {execution.id}")
    problems = attributes.get(_PROBLEMS) or ()
    return Run(
        workflow_id=execution.id,
        run_id=execution.run_id,
        status=execution.status,
        closed_at=execution.close_time,
        post_status=attributes.get(POST_STATUS),
        due_at=attributes.get(DUE_AT),
        stuck=stuck or bool(problems),
        tasks_fail=_TASKS_FAIL in problems,
        task_pending=task_pending,
        steps=steps,
    )


def _moment(step: PendingActivityInfo, name: str) -> datetime | None:
    if not step.HasField(name):  # type: ignore[arg-type]  # the stubs list every name as a literal
        return None
    moment: datetime = getattr(step, name).ToDatetime(UTC)
    return moment


def _failure(step: PendingActivityInfo) -> str | None:
    """Return the type and the message of the failure of a step's last try, without content."""
    if not step.HasField("last_failure"):
        return None
    failure = step.last_failure
    named = failure.application_failure_info.type
    return (f"{named}: {failure.message}" if named else failure.message)[:_LONGEST_FAILURE]


def _can_be_quoted(workflow_id: str) -> bool:
    return not set(workflow_id) & set("'\\")


def _quoted(value: str) -> str:
    return f"'{value}'"
