"""The step of an endpoint: every event is delivered, whatever the endpoint does and whenever a worker dies."""

import asyncio
import time
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, text
from standardwebhooks import Webhook as Verifier
from temporalio.testing import ActivityEnvironment

from activities import webhooks
from activities.webhooks import DeliverCommand, TakenEvents
from domain.webhooks import OPENS_AFTER, new_secret
from store.models import Delivery, Event, Webhook
from store.secrets.vault import Vault, new_key
from store.webhooks.deliveries import TakenEvent
from store.webhooks.endpoints import add_test, keep_handover_key, rotate_secret, seal_secret
from store.webhooks.logs import drop_surplus, redeliver
from store.webhooks.notifications import endpoints_to_wake
from tests.activities.receivers import answer, drop, hang
from tests.activities.webhook_endpoints import Endpoint, endpoints, steps_of_worker
from tests.stack import Stack
from tests.statements import noting_statements


async def test_events_are_delivered_once(endpoint: Endpoint) -> None:
    ids = await endpoint.happen(3)
    await endpoint.happen(1, "post.scheduled")
    state = await endpoint.deliver()
    assert (state.next_at, state.waiting, state.status) == (None, 0, "active")
    await endpoint.deliver()
    assert sorted(endpoint.receiver.event_ids) == ids
    for request in endpoint.receiver.requests:
        Verifier(endpoint.secret).verify(request.body, request.headers)
        assert request.headers["x-socialsyncerapi-attempt"] == "1"
    assert await endpoint.states() == [("delivered", 1)] * 3
    assert (await endpoint.row()).last_delivered_at is not None


async def test_an_event_wakes_its_endpoint_without_a_notification(endpoint: Endpoint) -> None:
    """An endpoint that is being probed is not woken."""
    own = (endpoint.workspace_id, endpoint.id)
    async with aclosing(endpoints_to_wake(endpoint.stack.worker_database, 0.0)) as news:
        await endpoint.happen(with_deliveries=False)
        async with asyncio.timeout(60):
            while own not in await anext(news):
                pass
        await endpoint.put(probe_at=datetime.now(UTC) + timedelta(hours=1))
        await endpoint.happen(with_deliveries=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(1.2):
                async for others in news:
                    assert own not in others


async def test_delivery_gives_way_to_publishing_for_a_moment(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until publishing ends or the event is late; a late batch waits shortly, and a test not at all."""
    monkeypatch.setattr(webhooks, "_LONGEST_WAIT", timedelta(minutes=10))
    publishes_until = 0.0

    async def seconds_until_delivered() -> float:
        began = time.monotonic()
        async with steps_of_worker(
            endpoint.stack, endpoint.receiver.host, publishing=lambda: 9 if time.monotonic() < publishes_until else 8
        ) as steps:
            await ActivityEnvironment().run(steps.deliver_events, DeliverCommand(webhook_id=endpoint.id))
        attempt = (await endpoint.attempts())[-1]
        return (attempt.at - datetime.now(UTC)).total_seconds() + time.monotonic() - began

    await endpoint.happen()
    publishes_until = time.monotonic() + 0.4
    assert 0.3 < await seconds_until_delivered() < 60
    publishes_until = time.monotonic() + 600
    monkeypatch.setattr(webhooks, "_LONGEST_WAIT", timedelta(seconds=1.5))
    await endpoint.happen()
    assert 1 < await seconds_until_delivered() < 60
    await endpoint.happen()
    await endpoint.put_deliveries(next_at=datetime.now(UTC) - timedelta(minutes=1))
    assert 0.2 < await seconds_until_delivered() < 60
    monkeypatch.setattr(webhooks, "_LONGEST_WAIT", timedelta(minutes=10))
    async with endpoint.stack.database.transaction() as session:
        await add_test(session, endpoint.workspace_id, endpoint.id)
    assert await seconds_until_delivered() < 60
    assert await endpoint.states() == [("delivered", 1)] * 4


async def test_many_are_sent_eight_at_a_time(endpoint: Endpoint) -> None:
    await endpoint.happen(120)
    await endpoint.deliver()
    assert len(set(endpoint.receiver.event_ids)) == 120
    assert endpoint.receiver.most_busy <= 8


async def test_answers_that_come_while_one_is_written_are_written_together(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    await endpoint.happen(8)
    taken = TakenEvents(endpoint.stack.worker_database, endpoint.id)
    now = datetime.now(UTC)
    answers = [TakenEvent(row.id, now, 5, 204, "") for row in await endpoint.deliveries()]
    with noting_statements(monkeypatch) as statements:
        assert await asyncio.gather(*(taken.record(event) for event in answers)) == [True] * 8
    # Background tasks of this process send statements, too.
    assert len([statement for statement in statements if "delivery_attempts" in statement.text]) == 2
    assert await endpoint.states() == [("delivered", 1)] * 8
    # The answer to a delivery that was deleted meanwhile is no error.
    assert await taken.record(replace(answers[0], delivery_id="dlv_gone"))
    assert len(await endpoint.attempts()) == 8


async def test_a_failure_is_sent_again_with_the_same_id(endpoint: Endpoint) -> None:
    endpoint.receiver.behave = answer(500, b"broken")
    (event_id,) = await endpoint.happen()
    state = await endpoint.deliver()
    assert state.status == "failing"
    assert state.next_at is not None
    assert timedelta(seconds=3) < state.next_at - datetime.now(UTC) < timedelta(seconds=7)
    endpoint.receiver.behave = None
    await endpoint.put_deliveries(next_at=datetime.now(UTC))
    assert (await endpoint.deliver()).status == "active"
    assert endpoint.receiver.event_ids == [event_id, event_id]
    first, second = endpoint.receiver.requests
    assert first.body == second.body
    assert [(row.http_status, row.error, row.response) for row in await endpoint.attempts()] == [
        (500, "it answered 500", "broken"),
        (200, None, "ok"),
    ]
    row = await endpoint.row()
    assert (row.failures, row.failing_since, row.last_failure) == (0, None, None)


async def test_an_event_whose_attempts_are_over_is_kept_and_can_be_delivered(endpoint: Endpoint) -> None:
    endpoint.receiver.behave = drop
    await endpoint.happen()
    for _ in range(10):
        # Other events succeed in between.
        await endpoint.put(failures=0, probe_at=None)
        await endpoint.put_deliveries(next_at=datetime.now(UTC))
        await endpoint.deliver()
    assert await endpoint.states() == [("exhausted", 10)]
    assert len(endpoint.receiver.requests) == 10
    endpoint.receiver.behave = None
    async with endpoint.stack.api_database.transaction() as session:
        ids = [row.id for row in await endpoint.deliveries()]
        assert set(await redeliver(session, endpoint.workspace_id, ids, datetime.now(UTC))) == set(ids)
        assert await redeliver(session, "ws_other", ids, datetime.now(UTC)) == set()
    await endpoint.put(failures=0, probe_at=None)
    await endpoint.deliver()
    assert await endpoint.states() == [("delivered", 1)]
    # As the signal of an operator does.
    await endpoint.put_deliveries(state="exhausted")
    await endpoint.deliver()
    assert await endpoint.states() == [("exhausted", 1)]
    await endpoint.deliver(redelivers=True)
    assert await endpoint.states() == [("delivered", 1)]


async def test_after_five_failures_one_event_at_a_time_is_a_probe(endpoint: Endpoint) -> None:
    endpoint.receiver.behave = answer(503)
    await endpoint.happen(40)
    state = await endpoint.deliver()
    tried = len(endpoint.receiver.requests)
    assert tried == OPENS_AFTER
    assert sum(attempts for _, attempts in await endpoint.states()) == OPENS_AFTER
    spent = await endpoint.states()
    row = await endpoint.row()
    assert row.probe_at is not None
    assert state.next_at == row.probe_at
    await endpoint.deliver()
    assert len(endpoint.receiver.requests) == tried
    await endpoint.put(probe_at=datetime.now(UTC))
    await endpoint.deliver()
    assert len(endpoint.receiver.requests) == tried + 1
    assert await endpoint.states() == spent
    endpoint.receiver.behave = None
    # An operator does not wait for the next probe.
    await endpoint.deliver(probes_now=True)
    await endpoint.put_deliveries(next_at=datetime.now(UTC))
    await endpoint.deliver()
    assert {state for state, _ in await endpoint.states()} == {"delivered"}


async def test_an_endpoint_may_be_deleted_before_it_refuses_an_event(endpoint: Endpoint) -> None:
    await endpoint.happen()

    async def delete_and_refuse(writer: asyncio.StreamWriter) -> None:
        async with endpoint.stack.database.transaction() as session:
            await session.execute(delete(Delivery).where(Delivery.webhook_id == endpoint.id))
            await session.execute(delete(Webhook).where(Webhook.id == endpoint.id))
        await answer(500)(writer)

    endpoint.receiver.behave = delete_and_refuse
    assert not (await endpoint.deliver()).exists


async def test_a_hanging_endpoint_has_one_request_and_delays_no_other(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.webhook_requests.ANSWER_WITHIN_S", 100.0)
    released = asyncio.Event()

    async def hang_until_released(_: asyncio.StreamWriter) -> None:
        await released.wait()

    async with endpoints(stack, 2) as (dead, healthy):
        dead.receiver.behave = hang_until_released
        await healthy.happen(50)
        hanging = asyncio.create_task(dead.deliver())
        await healthy.deliver()
        assert not hanging.done()
        assert len(healthy.receiver.requests) == 50
        assert len(dead.receiver.requests) == 1
        released.set()
        await hanging
        # A batch that was claimed is not sent any more once the endpoint has begun to fail.
        assert len(dead.receiver.requests) == OPENS_AFTER
        assert all(row.claimed_until is None for row in await dead.deliveries())


async def test_slow_endpoints_leave_steps_to_other_workspaces(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that has no share takes up what waits some seconds later."""
    monkeypatch.setattr("activities.webhook_requests.ANSWER_WITHIN_S", 2.0)
    monkeypatch.setattr(webhooks, "STEPS", 3)
    monkeypatch.setattr("platforms.http.shared_transport._TIMEOUT_S", 0.1)
    other_workspace, _ = await stack.new_workspace()
    async with endpoints(stack, 2) as (slow, crowded):
        other = Endpoint(stack, crowded.receiver, other_workspace, slow.steps)
        await other.create(crowded.receiver.url)
        await other.happen()
        slow.receiver.behave = hang
        await slow.happen()
        hanging = asyncio.create_task(slow.deliver())
        while not slow.receiver.requests:  # noqa: ASYNC110 the receiver has no event
            await asyncio.sleep(0.01)
        state = await crowded.deliver()
        assert crowded.receiver.requests == []
        assert state.waiting == 1
        assert state.next_at is not None
        assert timedelta(seconds=8) < state.next_at - datetime.now(UTC) <= timedelta(seconds=10)
        await other.deliver()
        assert await other.states() == [("delivered", 1)]
        await hanging
        await crowded.deliver()
        assert await crowded.states() == [("delivered", 1)]


async def test_a_worker_that_dies_after_it_sent_leaves_the_event_to_another(endpoint: Endpoint) -> None:
    (event_id,) = await endpoint.happen()
    endpoint.receiver.behave = hang
    dying = asyncio.create_task(endpoint.deliver())
    while not endpoint.receiver.requests:  # noqa: ASYNC110 the receiver has no event
        await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    endpoint.receiver.behave = None
    assert await endpoint.states() == [("waiting", 0)]
    state = await endpoint.deliver()
    assert len(endpoint.receiver.requests) == 1
    assert state.next_at is not None
    assert timedelta(seconds=30) < state.next_at - datetime.now(UTC) <= timedelta(seconds=60)
    await endpoint.put_deliveries(claimed_until=datetime.now(UTC))
    await endpoint.deliver()
    assert endpoint.receiver.event_ids == [event_id, event_id]
    assert await endpoint.states() == [("delivered", 1)]


async def test_two_workers_send_nothing_twice(endpoint: Endpoint) -> None:
    ids = await endpoint.happen(100)
    await asyncio.gather(*(endpoint.deliver() for _ in range(3)))
    assert sorted(endpoint.receiver.event_ids) == ids


async def test_a_secret_that_a_worker_cannot_open_is_no_failure_of_the_endpoint(endpoint: Endpoint) -> None:
    await endpoint.happen()
    async with steps_of_worker(endpoint.stack, endpoint.receiver.host, vault=Vault([SecretStr(new_key())])) as steps:
        command = DeliverCommand(webhook_id=endpoint.id)
        state = await ActivityEnvironment().run(steps.deliver_events, command)
    assert endpoint.receiver.requests == []
    assert state.next_at is not None
    assert (await endpoint.row()).failures == 0
    await endpoint.put_deliveries(claimed_until=None)
    await endpoint.deliver()
    assert await endpoint.states() == [("delivered", 1)]


async def test_a_private_key_is_sealed_again_under_the_newest_key_of_the_vault(endpoint: Endpoint) -> None:
    old, newest = endpoint.stack.settings.encryption_keys, SecretStr(new_key())
    vault = Vault([newest, *old])
    async with endpoint.stack.worker_database.transaction() as session:
        await keep_handover_key(session, vault)
    await endpoint.happen()
    async with steps_of_worker(endpoint.stack, endpoint.receiver.host, vault=vault) as steps:
        await ActivityEnvironment().run(steps.deliver_events, DeliverCommand(webhook_id=endpoint.id))
    assert await endpoint.states() == [("delivered", 1)]
    async with endpoint.stack.worker_database.transaction() as session:
        await keep_handover_key(session, Vault([*old, newest]))


async def test_while_a_secret_is_replaced_both_sign(endpoint: Endpoint) -> None:
    new = new_secret()
    async with endpoint.stack.api_database.transaction() as session:
        sealed = await seal_secret(session, endpoint.id, new)
        assert sealed
        assert await rotate_secret(session, endpoint.workspace_id, endpoint.id, sealed, timedelta(hours=1))
        assert not await rotate_secret(session, "ws_other", endpoint.id, sealed, timedelta(hours=1))
    await endpoint.happen()
    await endpoint.deliver()
    (request,) = endpoint.receiver.requests
    for secret in (endpoint.secret, new):
        Verifier(secret).verify(request.body, request.headers)
    await endpoint.put(older_until=datetime.now(UTC))
    await endpoint.happen()
    await endpoint.deliver()
    assert " " not in endpoint.receiver.requests[1].headers["webhook-signature"]


@pytest.mark.parametrize("status", [200, 500])
async def test_a_test_is_sent_in_any_case_and_counts_for_nothing(endpoint: Endpoint, status: int) -> None:
    await endpoint.put(enabled=False, disabled_reason="request", probe_at=datetime.now(UTC) + timedelta(hours=1))
    await endpoint.happen()
    endpoint.receiver.behave = answer(status)
    async with endpoint.stack.api_database.transaction() as session:
        assert await add_test(session, endpoint.workspace_id, endpoint.id)
        assert await add_test(session, "ws_other", endpoint.id) is None
    state = await endpoint.deliver()
    (request,) = endpoint.receiver.requests
    assert b'"event":"webhook.test"' in request.body
    assert await endpoint.states() == [("delivered", 1) if status == 200 else ("exhausted", 0)]
    assert (state.next_at, (await endpoint.row()).failures) == (None, 0)


async def test_an_event_that_is_not_kept_any_more_is_dropped(endpoint: Endpoint) -> None:
    await endpoint.happen()
    async with endpoint.stack.database.transaction() as session:
        await session.execute(delete(Event).where(Event.workspace_id == endpoint.workspace_id))
    await endpoint.deliver()
    assert (endpoint.receiver.requests, await endpoint.states()) == ([], [("dropped", 0)])


async def test_the_oldest_beyond_the_most_that_may_wait_are_dropped(endpoint: Endpoint) -> None:
    await endpoint.happen(7)
    async with endpoint.stack.worker_database.transaction() as session:
        assert await drop_surplus(session, 5) >= 2
    assert [state for state, _ in await endpoint.states()] == ["dropped"] * 2 + ["waiting"] * 5


async def test_an_endpoint_that_was_deleted_is_over(endpoint: Endpoint) -> None:
    await endpoint.happen()
    async with endpoint.stack.database.transaction() as session:
        await session.execute(delete(Webhook).where(Webhook.id == endpoint.id))
    assert not (await endpoint.deliver()).exists


async def test_a_round_ends_in_time(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_ROUND_S", 0.0)
    await endpoint.happen()
    state = await endpoint.deliver()
    assert (endpoint.receiver.requests, state.waiting) == ([], 1)


async def test_the_api_cannot_read_a_secret(endpoint: Endpoint) -> None:
    for statement in (
        "SELECT secret FROM webhooks",
        "SELECT older_secret FROM webhooks",
        "SELECT private_key FROM handover_keys",
        "UPDATE webhooks SET secret = ''",
    ):
        with pytest.raises(Exception, match="permission denied"):
            async with endpoint.stack.api_database.reading() as session:
                await session.execute(text(statement))
