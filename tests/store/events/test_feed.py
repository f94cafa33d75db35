"""Readers of a feed and endpoints get every event once, however many transactions write at the same time."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from domain.ids import new_id
from store.database import Database
from store.events import FeedPosition, Listening, begin_listening, complete_listening, read_events, read_listener
from store.models import Delivery, Event, Webhook
from store.webhooks.deliveries import make_deliveries
from store.webhooks.endpoints import switched
from store.webhooks.logs import measure_webhooks
from tests.databases import add_workspace, new_database
from tests.stack import Stack


async def _create(stack: Stack, workspace_id: str, **values: Any) -> str:
    webhook_id = new_id("wh")
    async with stack.database.transaction() as session:
        own = {"id": webhook_id, "workspace_id": workspace_id, "url": "https://none.test/", "events": ["*"]}
        await session.execute(insert(Webhook).values(**own, secret=b"", secret_key="", **values))
    return webhook_id


async def _switch(stack: Stack, webhook_id: str, *, enabled: bool) -> None:
    async with stack.api_database.transaction() as session:
        await session.execute(update(Webhook).where(Webhook.id == webhook_id).values(**switched(enabled)))


async def _happen(session: Any, workspace_id: str) -> str:
    event = insert(Event).values(workspace_id=workspace_id, type="post.failed", data={}).returning(Event.id)
    return str(await session.scalar(event))


async def _make(database: Database) -> None:
    async with database.transaction() as session:
        await make_deliveries(session)


async def _delivered(stack: Stack, webhook_id: str) -> list[str]:
    async with stack.database.reading() as session:
        rows = select(Delivery.event_id).where(Delivery.webhook_id == webhook_id).order_by(Delivery.event_id)
        return list(await session.scalars(rows))


async def _progress(stack: Stack) -> tuple[int, datetime]:
    async with stack.database.reading() as session:
        row = (await session.execute(text("SELECT low::text::bigint, at FROM delivery_progress"))).one()
    return row[0], row[1]


async def test_an_event_that_is_committed_late_gets_its_delivery(stack: Stack) -> None:
    workspace_id, _ = await stack.new_workspace()
    first, second = [await _create(stack, workspace_id) for _ in range(2)]
    async with stack.database.transaction() as early:
        # Its id is lower than those of all that follow, and it is committed after them.
        expected = [await _happen(early, workspace_id)]
        for _ in range(2):
            async with stack.database.transaction() as later:
                expected.append(await _happen(later, workspace_id))
            await _make(stack.worker_database)
        assert await _delivered(stack, first) == expected[1:]
    for _ in range(2):
        await _make(stack.worker_database)
    assert await _delivered(stack, first) == await _delivered(stack, second) == expected
    low, _ = await _progress(stack)
    async with stack.database.reading() as session:
        done = await session.scalar(
            text("SELECT count(*) FROM events WHERE workspace_id = :w AND xid >= :low ::text::xid8"),
            {"w": workspace_id, "low": str(low)},
        )
    assert done == 0, "events with deliveries are not read again"


async def test_an_endpoint_gets_what_happened_while_it_was_on(stack: Stack) -> None:
    """A worker may make the deliveries long afterwards."""
    workspace_id, _ = await stack.new_workspace()

    async def happens() -> str:
        async with stack.database.transaction() as session:
            return await _happen(session, workspace_id)

    await happens()
    webhook_id = await _create(stack, workspace_id)
    expected = [await happens()]
    await _switch(stack, webhook_id, enabled=False)
    await happens()
    await _switch(stack, webhook_id, enabled=True)
    expected.append(await happens())
    await _make(stack.worker_database)
    assert await _delivered(stack, webhook_id) == expected
    expected.append(await happens())
    await _switch(stack, webhook_id, enabled=False)
    await happens()
    await _make(stack.worker_database)
    assert await _delivered(stack, webhook_id) == expected


async def test_an_event_whose_delivery_no_worker_makes_is_overdue(stack: Stack) -> None:
    workspace_id, _ = await stack.new_workspace()
    await _create(stack, workspace_id)
    await _make(stack.worker_database)
    later = datetime.now(UTC) + timedelta(hours=1)

    async def overdue() -> timedelta:
        async with stack.worker_database.reading() as session:
            return (await measure_webhooks(session, later, workspace_id)).overdue

    assert await overdue() == timedelta(0)
    async with stack.database.transaction() as session:
        await _happen(session, workspace_id)
    assert timedelta(minutes=59) < await overdue() <= timedelta(hours=1)


async def test_an_idle_database_is_left_alone(stack: Stack) -> None:
    await _make(stack.worker_database)
    before = await _progress(stack)
    for _ in range(3):
        await _make(stack.worker_database)
    assert await _progress(stack) == before


WRITERS, EACH = 12, 20


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url), pool_size=20)
    yield database
    await database.close()


async def write(database: Database, workspace_id: str, pauses: tuple[float, float] = (0, 0)) -> str:
    """Write an event in a transaction that waits before and after it."""
    post_id = new_id("post")
    async with database.transaction() as session:
        await session.execute(text("SELECT pg_current_xact_id()"))
        await asyncio.sleep(pauses[0])
        statement = text("SELECT emit_v1(:workspace_id, 'post.late', :post_id, CAST(:data AS json))")
        data = f'{{"postId": "{post_id}"}}'
        await session.execute(statement, {"workspace_id": workspace_id, "post_id": post_id, "data": data})
        await asyncio.sleep(pauses[1])
    return post_id


async def read_all(database: Database, workspace_id: str, after: FeedPosition, limit: int = 7) -> list[str]:
    """Read to the end, as soon as all transactions of now have ended: those of other tests' databases count, too."""
    own = await database.row("SELECT pg_current_xact_id()::text AS xid")
    assert own is not None
    over = "SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::text::xid8 AS over"
    async with asyncio.timeout(60):
        while not (row := await database.row(over, own["xid"])) or not row["over"]:  # noqa: ASYNC110 no event
            await asyncio.sleep(0.01)
    ids = []
    while True:
        page = await read_events(database, workspace_id, after, None, limit)
        ids += [event.data["postId"] for event in page.events]
        after = page.end
        if not page.has_more:
            return ids


async def test_a_reader_beside_twelve_writers_loses_nothing(database: Database) -> None:
    chance = random.Random(7)
    written: list[str] = []

    async def writer() -> None:
        for _ in range(EACH):
            pauses = chance.uniform(0, 0.02), chance.uniform(0, 0.02)
            written.append(await write(database, "ws_many", pauses))

    writers = [asyncio.create_task(writer()) for _ in range(WRITERS)]
    events: list[str] = []
    after = FeedPosition()
    while not all(task.done() for task in writers):
        page = await read_events(database, "ws_many", after, None, 50)
        events += [event.data["postId"] for event in page.events]
        after = page.end
        await asyncio.sleep(0.005)
    await asyncio.gather(*writers)
    events += await read_all(database, "ws_many", after)
    assert len(events) == WRITERS * EACH
    assert sorted(events) == sorted(written)


async def test_an_event_waits_for_older_transactions(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("SELECT pg_current_xact_id()"))
        newer = await write(database, "ws_late")
        page = await read_events(database, "ws_late", FeedPosition(), None, 7)
        assert (page.events, page.has_more) == ([], False)
    assert await read_all(database, "ws_late", page.end) == [newer]


async def test_events_of_some_types_are_looked_for_among_a_number_of_events(database: Database) -> None:
    """A reader of rare events must not let the database look at the same others again and again."""
    for _ in range(9):
        await write(database, "ws_rare")
    await read_all(database, "ws_rare", FeedPosition())
    after, looked = FeedPosition(), []
    for _ in range(3):
        page = await read_events(database, "ws_rare", after, ["post.failed"], 100, looked_at=4)
        assert page.events == []
        looked.append(page.has_more)
        after = page.end
    assert looked == [True, True, False]
    assert await read_all(database, "ws_rare", after) == []
    page = await read_events(database, "ws_rare", FeedPosition(), ["post.late"], 2, looked_at=4)
    rest = await read_events(database, "ws_rare", page.end, ["post.late"], 100, looked_at=4)
    assert (len(page.events), len(rest.events), rest.has_more) == (2, 4, True)
    newer = await write(database, "ws_rare")
    assert await read_all(database, "ws_rare", after) == [newer]


async def listen(database: Database, workspace_id: str) -> Listening:
    await begin_listening(database, workspace_id)
    async with asyncio.timeout(60):
        while not (listening := await read_listener(database, workspace_id)):
            await complete_listening(database, workspace_id)
    return listening


async def test_a_read_is_recorded_once_an_hour(database: Database) -> None:
    workspace_id = await add_workspace(database)
    await listen(database, workspace_id)
    moved = "UPDATE listeners SET read_at = read_at - interval '1 minute' * $2 WHERE workspace_id = $1"
    ages = "SELECT clock_timestamp() - read_at < interval '1 minute' AS fresh FROM listeners WHERE workspace_id = $1"
    for minutes, fresh in ((30, False), (40, True)):
        await database.row(moved, workspace_id, minutes)
        await read_listener(database, workspace_id)
        row = await database.row(ages, workspace_id)
        assert row is not None
        assert row["fresh"] is fresh
