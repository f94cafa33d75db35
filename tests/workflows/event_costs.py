"""Temporal's events for a post: the purpose of each, and what it costs Temporal."""

from collections.abc import Iterable
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

_PREFIX = "EVENT_TYPE_"
_LOCAL = "core_local_activity"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of an event for Temporal: database transactions, writes of the visibility store, billed actions.

    An event that is written together with another one costs no transaction of its own.
    """

    purpose: str
    writes: int = 0
    listed: int = 0
    actions: int = 0


COSTS = {
    "WORKFLOW_EXECUTION_STARTED": Cost("the post's run and what it can be searched by", 1, 1, 1),
    "WORKFLOW_TASK_SCHEDULED": Cost("something has happened: a worker must run the workflow's code"),
    "WORKFLOW_TASK_STARTED": Cost("a worker has taken that task", 1),
    "WORKFLOW_TASK_COMPLETED": Cost("what the workflow wants next", 1),
    "TIMER_STARTED": Cost("sleep until the post is due, or until it cannot be edited or retried any more", 0, 0, 1),
    "TIMER_FIRED": Cost("that time has come", 1),
    "MARKER_RECORDED": Cost("a target was published within the task that the workflow had"),
    "ACTIVITY_TASK_SCHEDULED": Cost("a step for a worker of its queue", 0, 0, 1),
    "ACTIVITY_TASK_STARTED": Cost("a worker has taken that step", 1),
    "ACTIVITY_TASK_COMPLETED": Cost("what the step came to", 1),
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": Cost("where the post stands, for searches in the Web UI", 0, 1, 1),
    "WORKFLOW_EXECUTION_COMPLETED": Cost("nothing can happen to the post any more", 0, 1),
}
"""The cost of each kind of event in the usual course of a post."""


@dataclass(frozen=True, slots=True)
class Total:
    """The cost of all events of a history."""

    events: int
    tasks: int
    """How often a worker ran the workflow's code."""
    writes: int
    listed: int
    actions: int


def event_kind(event: HistoryEvent) -> str:
    """Return an event's type without its prefix."""
    return EventType.Name(event.event_type).removeprefix(_PREFIX)


def total_cost(events: Iterable[HistoryEvent]) -> Total:
    """Return the cost of a history. Raises KeyError for an event outside the usual course of a post."""
    kinds, costs, local = list[str](), list[Cost](), set[int]()
    for event in events:
        kinds.append(event_kind(event))
        costs.append(COSTS[kinds[-1]])
        marker = event.marker_recorded_event_attributes
        if marker.marker_name == _LOCAL:
            # All steps within one task of the workflow are billed as one action.
            local.add(marker.workflow_task_completed_event_id)
    return Total(
        events=len(kinds),
        tasks=kinds.count("WORKFLOW_TASK_COMPLETED"),
        writes=sum(cost.writes for cost in costs),
        listed=sum(cost.listed for cost in costs),
        actions=sum(cost.actions for cost in costs) + len(local),
    )
