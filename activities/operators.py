"""What people asked of a post's workflow by Temporal's Web UI or CLI: who it was stands in its history alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client

from domain.audit import Action, Actor, operator

log = structlog.get_logger(__name__)

IDENTITY = "socialsyncer"
"""How the client identities of our own processes begin: what these ask of workflows, no person does."""
_PATIENCE_S = 3.0
_PAGE = 100
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked of a run."""

    action: Action
    at: datetime
    identity: str
    run_id: str
    signal: str | None = None
    reason: str | None = None


def requests_among(run_id: str, events: Iterable[HistoryEvent]) -> Iterator[Request]:
    """Yield what people asked for by these events of a run, in their order."""
    for event in events:
        found = _request(event, run_id)
        if found is not None and not found.identity.startswith(IDENTITY):
            yield found


def _request(event: HistoryEvent, run_id: str) -> Request | None:
    at = event.event_time.ToDatetime(UTC)
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
            cancelled = event.workflow_execution_cancel_requested_event_attributes
            return Request(Action.CANCELLED, at, cancelled.identity, run_id, reason=_short(cancelled.cause))
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            ended = event.workflow_execution_terminated_event_attributes
            return Request(Action.TERMINATED, at, ended.identity, run_id, reason=_short(ended.reason))
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            signal = event.workflow_execution_signaled_event_attributes
            return Request(Action.SIGNALLED, at, signal.identity, run_id, signal=signal.signal_name[:_LONGEST])
        case EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failed = event.workflow_task_failed_event_attributes
            if failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW:
                return Request(Action.RESET, at, failed.identity, run_id, reason=_short(failed.failure.message))
    return None


def _short(text: str) -> str | None:
    return text[:_LONGEST] or None


async def newest_first(client: Client, workflow_id: str, run_id: str, most: int = _PAGE) -> AsyncIterator[HistoryEvent]:
    """Yield up to `most` events of a run, the newest first. Raises RPCError."""
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        maximum_page_size=min(_PAGE, most),
    )
    seen = 0
    while seen < most:
        found = await client.workflow_service.get_workflow_execution_history_reverse(request)
        for event in found.history.events:
            yield event
        seen += len(found.history.events)
        if not found.next_page_token:
            return
        request.next_page_token = found.next_page_token


async def who_cancelled() -> Actor:
    """Return who cancelled the run that an activity works for; without a name if Temporal does not tell it in time."""
    return await _who(lambda request: request.action is Action.CANCELLED)


async def who_signalled(name: str) -> Actor:
    """Return who sent that run the newest signal of this name."""
    return await _who(lambda request: request.signal == name)


async def _who(is_meant: Callable[[Request], bool]) -> Actor:
    # The request is among the newest events: the step that carries it out comes right after it.
    try:
        info = activity.info()
        async with asyncio.timeout(_PATIENCE_S):
            run_id = info.workflow_run_id or ""
            events = newest_first(activity.client(), info.workflow_id or "", run_id)
            found = requests_among(run_id, [event async for event in events])
    except Exception as error:  # noqa: BLE001 the rows must be written whether or not a name is known
        log.warning("operator.unknown", reason=type(error).__name__)
        return operator(None)
    return operator(next((request.identity for request in found if is_meant(request)), None))
