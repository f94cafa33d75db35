"""The cost of publishing a post now, as counts: a cost that no test counts can grow unnoticed."""

import asyncio
import re
import sys
from pathlib import Path
from types import FrameType

from temporalio.api.enums.v1 import EventType

from tests.api.conftest import Client
from tests.stack import Stack
from tests.statements import Statement, delivered
from tests.workflows.scenarios import comes_to

ROOT = str(Path(__file__).parents[2])
EMPTY_LIST = 50
"""Functions of ours between a request for a list without entries and its answer."""
ACTIONS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    EventType.EVENT_TYPE_TIMER_STARTED,
    EventType.EVENT_TYPE_MARKER_RECORDED,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
}
"""Events that Temporal bills, or that stand for one."""

COST = ["create_post_v1", "begin_send_v1", "settle_target_v1", "UPDATE"]
"""Create; begin and settle the send; keep the response.

Beside these, one SELECT opens the send and one reads the outcome. The outcome is read again if it takes longer than a
second.

The record that the workflow has the outcome is written in batches: before or after the last statements.
"""


def statement_name(statement: str) -> str:
    """Return the function that a statement calls, or else its first word."""
    called = re.search(r"\b\w+_v\d+\b", statement)
    return called.group() if called else statement.split(maxsplit=1)[0]


async def test_a_post_that_is_published_now_costs_five_writes_and_one_activity(
    api: Client, stack: Stack, statements: list[Statement]
) -> None:
    target = {"platform": "twitter", "accountId": stack.accounts["plain"].id}
    body = {"content": "counted", "platforms": [target], "publishNow": True}
    answer = await api.send_post(body, **{"Idempotency-Key": "counted once"})
    assert answer.json()["status"] == "published"
    await delivered(statements, answer.json()["id"])
    noted = list(statements)
    while not (post := await stack.read(answer.json()["id"])).is_delivered:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    ids = (post.id, post.targets[0].id)
    own = [statement for statement in noted if statement.concerns(*ids)]
    deliveries = [
        statement for statement in own if statement.verb == "UPDATE" and "delivered_version" in statement.text
    ]
    assert len(deliveries) == 1
    assert [
        name
        for statement in own
        if statement not in deliveries and (name := statement_name(statement.text)) != "SELECT"
    ] == COST
    assert len([statement for statement in own if "last_send" in statement.text]) == 1
    handle = stack.client.get_workflow_handle(post.workflow_id)
    events = (await (await comes_to(handle, "Open for edits")).fetch_history()).events
    actions = [event for event in events if event.event_type in ACTIONS]
    assert [EventType.Name(action.event_type).removeprefix("EVENT_TYPE_") for action in actions] == [
        "WORKFLOW_EXECUTION_STARTED",
        "MARKER_RECORDED",
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
        "TIMER_STARTED",
    ]
    assert len(events) == 7, "one task of the workflow, within which it publishes"


async def test_an_empty_list_passes_through_few_functions(api: Client) -> None:
    functions: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        own = code.co_filename.startswith(ROOT) and not re.search(r"/(tests|\.venv)/", code.co_filename)
        if event == "call" and own and not code.co_name.startswith("<"):
            functions.add((code.co_filename.removeprefix(ROOT), code.co_qualname))

    fewest: set[tuple[str, str]] | None = None
    # Work in the background may run meanwhile, and the first request looks its key up.
    for _ in range(5):
        functions.clear()
        sys.setprofile(note)
        try:
            await api.get("/v1/queues")
        finally:
            sys.setprofile(None)
        fewest = min(fewest or functions.copy(), functions.copy(), key=len)
    assert fewest is not None
    assert len(fewest) <= EMPTY_LIST, sorted(fewest)
