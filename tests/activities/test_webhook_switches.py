"""Endpoints that are switched off, and the events of that time."""

from datetime import UTC, datetime, timedelta

from domain.webhooks import OFF_AFTER
from store.webhooks.deliveries import make_deliveries
from store.webhooks.endpoints import change_endpoint, switched
from store.webhooks.logs import recover
from tests.activities.receivers import answer
from tests.activities.webhook_endpoints import Endpoint, endpoints
from tests.stack import Stack


async def test_an_endpoint_that_is_gone_is_switched_off_and_the_others_hear_it(stack: Stack) -> None:
    async with endpoints(stack, 2) as (gone, other):
        gone.receiver.behave = answer(410)
        (event_id,) = await gone.happen()
        await gone.deliver()
        row = await gone.row()
        assert (row.enabled, row.disabled_reason, row.status) == (False, "gone", "disabled")
        async with stack.worker_database.transaction() as session:
            await make_deliveries(session)
        await other.deliver()
        events = [request.body.decode() for request in other.receiver.requests]
        (told,) = [body for body in events if '"webhook.disabled"' in body]
        assert gone.id in told
        assert event_id in told
        await gone.happen()
        assert (await gone.deliver()).next_at is None
        assert len(gone.receiver.requests) == 1


async def test_an_endpoint_is_switched_off_after_five_days_of_failures(endpoint: Endpoint) -> None:
    endpoint.receiver.behave = answer(500)
    await endpoint.happen()
    for since, failures, enabled in (
        (OFF_AFTER - timedelta(hours=1), 500, True),
        (OFF_AFTER, 8, True),
        (OFF_AFTER, 9, False),
    ):
        now = datetime.now(UTC)
        await endpoint.put(failing_since=now - since, failures=failures, probe_at=now)
        await endpoint.deliver()
        assert (await endpoint.row()).enabled is enabled
    assert (await endpoint.row()).disabled_reason == "failing"


async def test_events_of_the_time_in_which_an_endpoint_was_off_are_recovered_once(endpoint: Endpoint) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    before = await endpoint.happen(2)
    await endpoint.deliver()
    async with endpoint.stack.api_database.transaction() as session:
        off = switched(False)
        await change_endpoint(session, endpoint.workspace_id, endpoint.id, **off)
    missed = await endpoint.happen(5)
    assert (await endpoint.deliver()).next_at is None
    async with endpoint.stack.api_database.transaction() as session:
        await change_endpoint(session, endpoint.workspace_id, endpoint.id, **switched(True))
    for recovered in (5, 0):
        async with endpoint.stack.api_database.transaction() as session:
            row = await endpoint.row()
            until = datetime.now(UTC) + timedelta(seconds=1)
            assert await recover(session, row, began, until, 100) == recovered
        await endpoint.deliver()
    assert sorted(endpoint.receiver.event_ids) == sorted(before + missed)


async def test_an_endpoint_that_was_off_for_a_day_gets_each_event_once(endpoint: Endpoint) -> None:
    """The events have the times of that day, as if this test had begun a day ago."""
    now = datetime.now(UTC)
    off_at = now - timedelta(days=1)
    await endpoint.put(created_at=off_at - timedelta(days=1), enabled=False, disabled_at=off_at)
    before = await endpoint.happen_at([off_at - timedelta(minutes=1)])
    missed = await endpoint.happen_at([off_at + timedelta(minutes=minutes) for minutes in range(1, 24 * 60, 30)])
    assert (await endpoint.deliver()).next_at is None, "it is off"
    async with endpoint.stack.api_database.transaction() as session:
        await change_endpoint(session, endpoint.workspace_id, endpoint.id, **switched(True))
    present = await endpoint.happen()
    await endpoint.deliver()
    assert sorted(endpoint.receiver.event_ids) == sorted(before + present)
    for recovered in (len(missed), 0):
        async with endpoint.stack.api_database.transaction() as session:
            row = await endpoint.row()
            assert await recover(session, row, off_at, now + timedelta(minutes=1), 1000) == recovered
        await endpoint.deliver()
    assert sorted(endpoint.receiver.event_ids) == sorted(before + missed + present)
