"""GET /v1/events: the first request lets the workspace listen, later ones continue."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from api.events.feed import read_cursor, write_cursor
from domain.webhooks import KEPT
from store.events import FeedPosition
from store.maintenance.restores import begin_feeds_again
from store.models import Event, Listener
from tests.api.conftest import Client, problems, read_answer
from tests.stack import Stack


@pytest.fixture
async def reader(api: Client, stack: Stack) -> Client:
    """Return a client of a workspace that begins to listen with this test."""
    async with stack.database.transaction() as session:
        for model in (Event, Listener):
            await session.execute(delete(model).where(model.workspace_id == api.workspace_id))
    assert (await read(api))["events"] == []
    return api


async def read(api: Client, after: str | None = None, wait: int = 0, **query: Any) -> dict[str, Any]:
    if after:
        query["after"] = after
    response = await api.get("/v1/events", params=query, headers={"Prefer": f"wait={wait}"})
    assert response.status_code == 200, response.text
    assert response.headers["Preference-Applied"] == f"wait={wait}"
    page: dict[str, Any] = response.json()
    return page


async def publish(api: Client, stack: Stack, content: str) -> dict[str, Any]:
    platforms = [{"platform": "twitter", "accountId": stack.accounts["twitter"].id}]
    return read_answer(await api.send_post({"content": content, "platforms": platforms, "publishNow": True}), 201)


async def test_a_post_is_told_to_a_workspace_that_listens(reader: Client, stack: Stack) -> None:
    post = await publish(reader, stack, "told in the feed")
    page = await read(reader, wait=10)
    (published, completed) = page["events"]
    assert (published["event"], completed["event"]) == ("post.published", "post.completed")
    data, target = published["data"], post["platforms"][0]
    assert (data["postId"], data["platformPostId"]) == (post["id"], target["platformPostId"])
    assert completed["data"]["platforms"][0]["platformPostUrl"] == target["platformPostUrl"]
    following = await read(reader, page["cursor"])
    assert (following["events"], following["hasMore"]) == ([], False)
    assert read_cursor(following["cursor"]).position >= read_cursor(page["cursor"]).position


async def test_a_cursor_passes_over_events_of_other_types(reader: Client, stack: Stack) -> None:
    await publish(reader, stack, "not of the type in the feed")
    page = await read(reader, "now", type="account.refused")
    await publish(reader, stack, "passed over by a reader of another type")
    assert (await read(reader, page["cursor"], wait=10))["events"]
    following = await read(reader, page["cursor"], type="account.refused")
    assert (following["events"], following["hasMore"]) == ([], False)
    assert read_cursor(following["cursor"]).position > read_cursor(page["cursor"]).position
    assert (await read(reader, following["cursor"]))["events"] == []


async def test_pages_and_types(reader: Client, stack: Stack) -> None:
    for number in range(3):
        await publish(reader, stack, f"one of a few in the feed {number}")
    events: list[dict[str, Any]] = []
    after = None
    while True:
        page = await read(reader, after, wait=0 if events else 10, limit=4)
        events += page["events"]
        after = page["cursor"]
        if not page["hasMore"]:
            break
    assert [event["event"] for event in events] == ["post.published", "post.completed"] * 3
    assert len({event["id"] for event in events}) == 6
    assert (await read(reader, type=["post.completed", "post.failed"]))["events"] == events[1::2]


async def test_now_passes_over_the_past_and_skips_nothing_behind_it(reader: Client, stack: Stack) -> None:
    await publish(reader, stack, "passed over in the feed")
    assert (await read(reader, wait=10))["events"]
    page = await read(reader, "now")
    assert (page["events"], page["hasMore"]) == ([], False)
    post = await publish(reader, stack, "behind the present of the feed")
    events = (await read(reader, page["cursor"], wait=10))["events"]
    assert {event["data"]["postId"] for event in events} == {post["id"]}
    waiting = asyncio.create_task(read(reader, "now", wait=30, type="post.completed"))
    await asyncio.sleep(0.2)
    later = await publish(reader, stack, "told to a reader of the present")
    assert [event["data"]["postId"] for event in (await waiting)["events"]] == [later["id"]]


async def test_a_request_waits_for_an_event(reader: Client, stack: Stack) -> None:
    waiting = asyncio.create_task(read(reader, wait=30))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    await publish(reader, stack, "somebody waits for it")
    assert (await waiting)["events"]
    assert time.monotonic() - began < 20


async def test_a_request_waits_as_long_as_it_asks(reader: Client) -> None:
    began = time.monotonic()
    assert (await read(reader, wait=1))["events"] == []
    assert time.monotonic() - began >= 0.9


async def test_another_workspace_reads_none_of_them(reader: Client, stranger: Client, stack: Stack) -> None:
    await read(stranger)
    await publish(reader, stack, "told to its own workspace")
    page = await read(reader, wait=10)
    assert page["events"]
    assert (await read(stranger))["events"] == []
    assert (await read(stranger, page["cursor"]))["events"] == []


async def test_a_cursor_from_before_the_workspace_listened_is_refused(reader: Client, stack: Stack) -> None:
    early = write_cursor(FeedPosition(1, 1), datetime.now(UTC) - timedelta(minutes=1))
    old = write_cursor(FeedPosition(1, 1), datetime.now(UTC) - KEPT + timedelta(minutes=30))
    async with stack.database.transaction() as session:
        own = Listener.workspace_id == reader.workspace_id
        await session.execute(update(Listener).where(own).values(since=datetime.now(UTC)))
    for cursor in (early, old):
        response = await reader.get("/v1/events", params={"after": cursor})
        assert (response.status_code, problems(response)[0]["code"]) == (410, "cursor_expired")
    async with stack.database.transaction() as session:
        await session.execute(update(Listener).where(own).values(since=datetime.now(UTC) - timedelta(days=99)))
    since = datetime.fromisoformat((await read(reader, early))["since"])
    assert abs(datetime.now(UTC) - KEPT - since) < timedelta(minutes=1)
    assert (await reader.get("/v1/events", params={"after": old})).status_code == 410


async def test_after_a_restore_the_feed_begins_again(reader: Client, stack: Stack) -> None:
    await publish(reader, stack, "told before a restore")
    before = await read(reader, wait=10)
    async with stack.database.transaction() as session:
        own = Event.workspace_id == reader.workspace_id
        # The copy is of a server that has counted further.
        await session.execute(update(Event).where(own).values(xid=text("'1000000000000'::xid8")))
    assert (await read(reader))["events"] == []
    await asyncio.sleep(1)
    async with stack.database.transaction() as session:
        await begin_feeds_again(session)
    assert (await read(reader, wait=10))["events"] == before["events"]
    assert (await reader.get("/v1/events", params={"after": before["cursor"]})).status_code == 410


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("after=x", "after"),
        ("after=e30", "after"),
        pytest.param(
            f"after={write_cursor(FeedPosition(2**64, 1), datetime.now(UTC))}",
            "after",
            id="its transaction is too large",
        ),
        pytest.param(
            f"after={write_cursor(FeedPosition(1, 2**63), datetime.now(UTC))}", "after", id="its number is too large"
        ),
        pytest.param(f"after={write_cursor(FeedPosition(-1, 1), datetime.now(UTC))}", "after", id="it is negative"),
        pytest.param(f"after={write_cursor(FeedPosition(True, 1), datetime.now(UTC))}", "after", id="it is no number"),
        ("type=post.publised", "type"),
        ("limit=101", "limit"),
        ("kind=post.published", "kind"),
    ],
)
async def test_a_wrong_query_is_refused(api: Client, query: str, param: str) -> None:
    response = await api.get(f"/v1/events?{query}")
    assert (response.status_code, problems(response)[0]["param"]) == (400, param)


async def test_a_long_transaction_delays_the_beginning(
    stranger: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.events.feed._BEGINS_WITHIN_S", 0.2)
    async with stack.database.transaction() as session:
        await session.execute(text("SELECT pg_current_xact_id()"))
        response = await stranger.get("/v1/events")
        assert (response.status_code, problems(response)[0]["code"]) == (503, "unavailable")
    assert (await stranger.get("/v1/events")).status_code == 200


async def test_events_have_the_codes_of_the_post(reader: Client, stack: Stack) -> None:
    refusal = {"type": "about:blank", "title": "Forbidden", "detail": "You are not permitted to perform this action."}
    await stack.fault("twitter", "reject", "publish", status=403, body=refusal)
    post = await publish(reader, stack, "refused by a code of the platform's own")
    (target,) = post["platforms"]
    assert (target["status"], target["platformCode"]) == ("failed", "forbidden")
    failed, completed = (await read(reader, wait=10))["events"]
    assert (failed["event"], completed["event"]) == ("post.failed", "post.completed")
    (outcome,) = completed["data"]["platforms"]
    assert target["errorCode"] == failed["data"]["errorCode"] == outcome["errorCode"] == "platform_refused"
