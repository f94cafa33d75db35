"""Requests that people made to a post's workflow with Temporal's Web UI or CLI: only its history has their names."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeBatchOperationRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    ListBatchOperationsRequest,
)
from temporalio.client import Client

from domain.audit import Action, Actor, operator

log = structlog.get_logger(__name__)

IDENTITY = "socialsyncer"
"""The prefix of our own processes' client identities: a request with it does not come from a person."""
_TIMEOUT_S = 3.0
_PAGE = 100
_LONGEST = 200
_BATCHES = 20
"""The number of newest batches in which a request's batch is searched. Temporal runs one batch at a time."""
_BATCH_IDENTITY = re.compile(r"[0-9]+@[^@]*@[^@]*")
"""The client identity of Temporal's own process: process, host and queue."""


@dataclass(frozen=True, slots=True)
class OperatorRequest:
    """A request of a person to a run."""

    action: Action
    at: datetime
    identity: str
    run_id: str
    signal: str | None = None
    reason: str | None = None


def requests_among(run_id: str, events: Iterable[HistoryEvent]) -> Iterator[OperatorRequest]:
    """Yield the requests of people among these events of a run, in their order."""
    for event in events:
        request = _request(event, run_id)
        if request is not None and not request.identity.startswith(IDENTITY):
            yield request


def _request(event: HistoryEvent, run_id: str) -> OperatorRequest | None:
    at = event.event_time.ToDatetime(UTC)
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
            cancelled = event.workflow_execution_cancel_requested_event_attributes
            return OperatorRequest(Action.CANCELLED, at, cancelled.identity, run_id, reason=_short(cancelled.cause))
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            ended = event.workflow_execution_terminated_event_attributes
            return OperatorRequest(Action.TERMINATED, at, ended.identity, run_id, reason=_short(ended.reason))
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            signal = event.workflow_execution_signaled_event_attributes
            return OperatorRequest(Action.SIGNALLED, at, signal.identity, run_id, signal=signal.signal_name[:_LONGEST])
        case EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failed = event.workflow_task_failed_event_attributes
            if failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW:
                return OperatorRequest(Action.RESET, at, failed.identity, run_id, reason=_short(failed.failure.message))
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
        page = await client.workflow_service.get_workflow_execution_history_reverse(request)
        for event in page.history.events:
            yield event
        seen += len(page.history.events)
        if not page.next_page_token:
            return
        request.next_page_token = page.next_page_token


async def with_person(client: Client, request: OperatorRequest) -> OperatorRequest:
    """Return a request with the person and the reason of its batch, if it came from a batch. Raises RPCError.

    Temporal records its own process as the sender of a batch's requests.
    """
    if not _BATCH_IDENTITY.fullmatch(request.identity):
        return request
    batches = ListBatchOperationsRequest(namespace=client.namespace, page_size=_BATCHES)
    for batch in (await client.workflow_service.list_batch_operations(batches)).operation_info:
        began, ended = batch.start_time.ToDatetime(UTC), batch.close_time.ToDatetime(UTC)
        if request.at < began or (batch.HasField("close_time") and request.at > ended):
            continue
        asked = DescribeBatchOperationRequest(namespace=client.namespace, job_id=batch.job_id)
        description = await client.workflow_service.describe_batch_operation(asked)
        return replace(request, identity=description.identity, reason=_short(description.reason) or request.reason)
    return request


async def who_cancelled() -> tuple[Actor, dict[str, str]]:
    """Return who cancelled the run of an activity, and the details for the audit trail.

    The actor has no name if Temporal does not respond in time.
    """
    return await _who(lambda request: request.action is Action.CANCELLED)


async def who_signalled(name: str) -> tuple[Actor, dict[str, str]]:
    """Return who sent the newest signal of this name, and the details for the audit trail."""
    return await _who(lambda request: request.signal == name)


async def _who(is_meant: Callable[[OperatorRequest], bool]) -> tuple[Actor, dict[str, str]]:
    info = activity.info()
    run_id = info.workflow_run_id or ""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            client = activity.client()
            # The request is among the newest events: the step that it causes comes right after it.
            events = newest_first(client, info.workflow_id or "", run_id)
            requests = requests_among(run_id, [event async for event in events])
            meant = next((request for request in requests if is_meant(request)), None)
            asked = await with_person(client, meant) if meant else None
    except Exception as error:  # noqa: BLE001 the rows must be written whether or not a name is known
        log.warning("operator.unknown", reason=type(error).__name__)
        asked = None
    details = {"runId": run_id, **({"reason": asked.reason} if asked and asked.reason else {})}
    return operator(asked.identity if asked else None), details
