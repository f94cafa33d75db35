"""The cost of requests, as counts: a cost that no test counts can grow unnoticed."""

import asyncio
import re
import sys
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from types import FrameType

import httpx
import pytest
from temporalio.api.enums.v1 import EventType

from tests.api.campaigns.conftest import save_campaign
from tests.api.conftest import Client
from tests.before_due import before_due
from tests.stack import Stack
from tests.statements import Statement, delivered
from tests.workflows.scenarios import comes_to


async def test_a_post_is_read_by_one_statement(api: Client, stack: Stack, statements: list[Statement]) -> None:
    post = await stack.save("read by one statement", [stack.accounts["plain"], stack.accounts["instagram"]])
    statements.clear()
    answer = await api.get(f"/v1/posts/{post.id}")
    assert answer.json()["content"] == "read by one statement"
    # The key is looked up once a second, whatever the request.
    own = [statement for statement in statements if statement.concerns(post.id, stack.workspace_id)]
    assert [statement.verb for statement in own] == ["SELECT"]


@pytest.mark.parametrize("query", ["", "?limit=3"])
async def test_a_page_of_the_newest_posts_is_read_by_one_statement(
    api: Client, stack: Stack, statements: list[Statement], query: str
) -> None:
    for number in range(4):
        await stack.save(f"listed by one statement, {number}", [stack.accounts["plain"]])
    cursor = ""
    for _ in range(2):
        statements.clear()
        page = (await api.get(f"/v1/posts{query}{cursor}")).json()
        assert page["posts"]
        own = [statement for statement in statements if statement.concerns(stack.workspace_id)]
        assert [statement.verb for statement in own] == ["WITH"]
        if not page["hasMore"]:
            break
        cursor = f"{'&' if query else '?'}cursor={page['cursor']}"


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


ROOT = str(Path(__file__).parents[2])
EMPTY_LIST, PUBLISH_NOW, PAUSE, PICTURE = 50, 395, 155, 515
"""The most functions of ours between a request and its response. The last three are to fall to 350, 110 and 420."""
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


async def _functions(request: Callable[[int], Awaitable[httpx.Response]]) -> set[str]:
    """Return the product's functions through which each of five equal requests goes, in this thread.

    Work in the background may run during some of them, and the first request looks its key up.
    """
    functions, runs = set[str](), list[set[str]]()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        own = code.co_filename.startswith(ROOT) and not re.search(r"/(tests|sandbox|\.venv)/", code.co_filename)
        if event == "call" and own and not code.co_name.startswith("<"):
            functions.add(f"{code.co_filename.removeprefix(ROOT)}:{code.co_qualname}")

    for number in range(5):
        functions.clear()
        sys.setprofile(note)
        try:
            assert (await request(number)).is_success
        finally:
            sys.setprofile(None)
        runs.append(functions.copy())
    return set.intersection(*runs)


async def test_an_empty_list_passes_through_few_functions(api: Client) -> None:
    functions = await _functions(lambda _: api.get("/v1/queues"))
    assert len(functions) <= EMPTY_LIST, sorted(functions)


async def test_publishing_passes_through_few_functions(api: Client, stack: Stack) -> None:
    """A text to X, and a picture to Instagram, from the request to the response that says published."""

    def publish(platform: str, account: str, **media: object) -> Callable[[int], Awaitable[httpx.Response]]:
        place = {"platform": platform, "accountId": stack.accounts[account].id}
        body = {"platforms": [place], "publishNow": True, **media}
        return lambda number: api.post("/v1/posts", json={**body, "content": f"counted {platform} {number}"})

    text = await _functions(publish("twitter", "plain"))
    picture = {"mediaItems": [{"type": "image", "url": "https://example.com/photo.jpg"}]}
    shown = await _functions(publish("instagram", "instagram", **picture))
    assert len(text) <= PUBLISH_NOW, sorted(text)
    assert len(shown) <= PICTURE, sorted(shown)


async def test_a_pause_passes_through_few_functions(api: Client, stack: Stack) -> None:
    campaigns = [await save_campaign(stack) for _ in range(5)]
    functions = await _functions(
        lambda number: api.post(
            f"/v1/campaigns/{campaigns[number]}/pause", json={}, headers={"Idempotency-Key": uuid.uuid4().hex}
        )
    )
    assert len(functions) <= PAUSE, sorted(functions)
