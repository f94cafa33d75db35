"""The cost of a post to two platforms, as counts, so that no step is added unnoticed.

docs/benchmarks.md has the same figures. A change that adds a step must change both. The test counts only what does not
depend on the machine's load: if two steps end together, the workflow receives them in one task or in two.
"""

import re
from collections import Counter
from datetime import datetime

import httpx
from temporalio.api.enums.v1 import EventType

from tests.api.conftest import Client
from tests.api.test_hot_path import statement_name
from tests.before_due import before_due
from tests.stack import Stack
from tests.statements import Statement, delivered
from tests.workflows.scenarios import comes_to

_PREFIX = "EVENT_TYPE_"
_TASKS = "WORKFLOW_TASK_"
PUBLISHED = {
    "WORKFLOW_EXECUTION_STARTED": 1,
    # A local activity, which publishes to one platform.
    "MARKER_RECORDED": 2,
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": 1,
    "TIMER_STARTED": 1,
}
"""Events of publishNow, and its wait for edits."""
SLEPT = {"TIMER_STARTED": 1, "TIMER_FIRED": 1}
"""The additional events of a scheduled post."""
WRITES = {"create_post_v1": 1, "begin_send_v1": 2, "settle_target_v1": 2, "UPDATE": 1}
"""Statements that write, each committed by itself; the last one records that the workflow has the outcome."""
OPENED = 2
"""Statements that read what a step sends, one for each target."""


def body(stack: Stack, text: str, **when: object) -> dict[str, object]:
    accounts = (stack.accounts["plain"], stack.accounts["twitter"])
    return {
        "content": text,
        "platforms": [{"platform": account.platform, "accountId": account.id} for account in accounts],
        **when,
    }


async def events(stack: Stack, post_id: str) -> tuple[Counter[str], int]:
    """Return the types of the events of a post's workflow once it waits for edits, and the number of its tasks."""
    handle = await comes_to(stack.client.get_workflow_handle(post_id), "Open for edits")
    names = [EventType.Name(event.event_type).removeprefix(_PREFIX) for event in (await handle.fetch_history()).events]
    tasks = names.count(f"{_TASKS}COMPLETED")
    return Counter(name for name in names if not name.startswith(_TASKS)), tasks


async def sent(statements: list[Statement], post_id: str) -> tuple[dict[str, int], int]:
    """Return the statements that wrote something for a post, by their names, and how many opened a step."""
    ids = {post_id}
    await delivered(statements, post_id)
    for statement in statements:
        if statement.text.startswith("SELECT create_post_v1") and statement.concerns(post_id):
            ids.update(re.findall(r"tgt_[0-9a-f]+", statement.arguments))
    own = [statement for statement in statements if statement.concerns(*ids)]
    names = Counter(statement_name(statement.text) for statement in own)
    opened = sum("last_send" in statement.text for statement in own)
    return {name: count for name, count in names.items() if name not in {"SELECT", "WITH"}}, opened


async def test_a_post_that_is_published_now_keeps_to_its_budget(
    api: Client, stack: Stack, statements: list[Statement]
) -> None:
    answer = await api.send_post(body(stack, "within the budget, now", publishNow=True))
    assert answer.json()["status"] == "published"
    types, tasks = await events(stack, answer.json()["id"])
    assert types == Counter(PUBLISHED)
    assert tasks <= 2
    assert await sent(statements, answer.json()["id"]) == (WRITES, OPENED)


async def test_a_scheduled_post_keeps_to_its_budget(api: Client, stack: Stack, statements: list[Statement]) -> None:
    async def create(due: datetime) -> httpx.Response:
        return await api.send_post(body(stack, f"within the budget at {due}", scheduledFor=due.isoformat()))

    _, answer = await before_due(create)
    assert answer.json()["status"] == "scheduled"
    types, tasks = await events(stack, answer.json()["id"])
    assert types == Counter(PUBLISHED) + Counter(SLEPT)
    assert tasks <= 3
    assert await sent(statements, answer.json()["id"]) == (WRITES, OPENED)
