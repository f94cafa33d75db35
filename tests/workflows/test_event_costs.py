"""Budgets of what Temporal does for a post in the usual cases; a higher count must be a deliberate decision."""

import pytest
from temporalio.client import WorkflowHistory

from tests.workflows.event_costs import COSTS, Total, event_kind, total_cost
from tests.workflows.record import read_history

BUDGETS = {
    # A picture to two platforms, now.
    "published_now": Total(events=8, tasks=1, writes=3, listed=2, actions=4),
    # A text to one platform, later.
    "scheduled": Total(events=12, tasks=2, writes=6, listed=2, actions=5),
}


@pytest.mark.parametrize("name", BUDGETS)
def test_usual_steps_keep_to_their_budget(name: str) -> None:
    events = WorkflowHistory.from_json(name, read_history(name)).events
    assert {event_kind(event) for event in events} <= set(COSTS)
    assert total_cost(events) == BUDGETS[name]
