"""The deliveries of events, which a worker makes after the events are committed: each once, and none is missed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, text, update

from domain.ids import new_id
from store.database import Database
from store.models import Delivery, Event, Webhook
from store.webhooks.deliveries import make_deliveries
from store.webhooks.endpoints import switched
from store.webhooks.logs import measure_webhooks
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
