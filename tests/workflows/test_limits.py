"""Values for Temporal fit into its tables in PostgreSQL, which is stricter than the server of these tests."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.service import RPCError, RPCStatusCode

from activities.options import POSTS_QUEUE, platform_queue
from domain.errors import Unavailable
from domain.ids import new_id, new_workspace_id, workflow_id
from domain.plan import Plan, TargetPlan
from domain.post import PostStatus
from domain.temporal_limits import (
    LARGEST_SEARCH_ATTRIBUTE,
    LONGEST_FAIRNESS_KEY,
    LONGEST_ID,
    LONGEST_KEYWORD,
    SEARCH_ATTRIBUTES,
)
from platforms.registry import platforms
from tests.stack import Stack
from workflows.post import PostWorkflow
from workflows.search_attributes import REGISTRY, post_attributes


def test_search_attributes_have_columns() -> None:
    assert all(count <= SEARCH_ATTRIBUTES[kind] for kind, count in Counter(REGISTRY.values()).items())


def test_names_fit() -> None:
    for name in (PostWorkflow.__name__, POSTS_QUEUE, *map(platform_queue, platforms())):
        assert len(name.encode()) <= LONGEST_ID


def test_values_of_search_attributes_fit() -> None:
    targets = [
        TargetPlan(target_id=new_id("tgt"), platform=f"network{number}", account_id="a" * 300 + str(number))
        for number in range(200)
    ]
    plan = Plan(
        post_id=new_id("post"),
        workspace_id=new_workspace_id(),
        workflow_id="w",
        due_at=datetime.now(UTC),
        targets=targets,
        tags=["\u00e9" * 200, *(f"tag {number} {'t' * 100}" for number in range(200))],
    )
    for pair in post_attributes(plan, PostStatus.SCHEDULED):
        for value in pair.value if isinstance(pair.value, list) else [str(pair.value)]:
            assert len(value.encode()) <= LONGEST_KEYWORD
        if isinstance(pair.value, list):
            assert sum(len(value.encode()) + 3 for value in pair.value) <= LARGEST_SEARCH_ATTRIBUTE


def test_fairness_keys_and_workflow_ids_fit() -> None:
    workspace_id = new_workspace_id()
    assert len(workspace_id.encode()) <= LONGEST_FAIRNESS_KEY
    assert len(workflow_id(workspace_id, "p", "k" * 255, 10**9).encode()) <= LONGEST_ID


async def test_the_test_server_refuses_an_id_longer_than_production_allows(stack: Stack) -> None:
    post = await stack.save("under a long id", [stack.accounts["plain"]], due_in=timedelta(hours=1))
    plan = (await stack.plan(post)).model_copy(update={"workflow_id": "x" * (LONGEST_ID + 1)})
    with pytest.raises(Unavailable) as refusal:
        await stack.workflows.start(plan)
    cause = refusal.value.__cause__
    assert isinstance(cause, RPCError)
    assert cause.status is RPCStatusCode.INVALID_ARGUMENT
