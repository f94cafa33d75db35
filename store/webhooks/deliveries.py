"""The deliveries to endpoints, as workers claim and settle them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, TextClause, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.webhooks import (
    Answer,
    DeliveryCause,
    DeliveryState,
    DisabledReason,
    is_to_disable,
    next_attempt,
    next_probe,
)
from store.announcer import announce
from store.database import Pool
from store.models import Delivery, DeliveryAttempt, Event, Webhook
from store.rows import current_row, update_rows

_CLAIMED_FOR = timedelta(seconds=60)
"""How long a claim lasts: longer than a round of a worker (activities.webhooks)."""
# A literal: the planner must see that the partial index has these.
_IS_WAITING = text("deliveries.state = 'waiting'")


def _claiming(condition: str) -> TextClause:
    """Return the statement that claims deliveries of a kind, the longest due first, and reads their events."""
    return text(f"""
        WITH due AS MATERIALIZED (
          SELECT id, event_id FROM deliveries
          WHERE webhook_id = :webhook_id AND state = 'waiting' AND (claimed_until IS NULL OR claimed_until <= :now)
            AND {condition}
          ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED
        )
        UPDATE deliveries SET claimed_until = :until
        FROM due LEFT JOIN events ON events.id = due.event_id
        WHERE deliveries.id = due.id
        RETURNING deliveries.id, deliveries.event_id, deliveries.cause, deliveries.attempts, deliveries.next_at,
                  events.type, events.at, events.data
    """)  # noqa: S608 the conditions are below


_TESTS = _claiming("cause = 'test'")
_OTHERS = _claiming("cause <> 'test'")
_DUE = _claiming("(cause = 'test' OR next_at <= :now)")


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """An event that a worker sends to an endpoint. `event` is None if it is not kept any more."""

    id: str
    event_id: str
    cause: DeliveryCause
    attempts: int
    due_at: datetime
    event: Event | None

    @property
    def is_test(self) -> bool:
        """Return whether a client tests the endpoint with it."""
        return self.cause is DeliveryCause.TEST


async def make_deliveries(session: AsyncSession) -> None:
    """Make the deliveries of new events."""
    await session.execute(text("SELECT count(*) FROM make_deliveries_v1()"))


async def claim_deliveries(session: AsyncSession, webhook: Webhook, now: datetime, limit: int) -> list[ClaimedDelivery]:
    """Claim what an endpoint is to be sent now: tests in any case, and if it fails one other event at a time."""
    if not webhook.enabled:
        return await _claim(session, webhook, _TESTS, now, limit)
    if webhook.probe_at is None:
        return await _claim(session, webhook, _DUE, now, limit)
    tests = await _claim(session, webhook, _TESTS, now, limit)
    if webhook.probe_at <= now:
        return [*tests, *await _claim(session, webhook, _OTHERS, now, 1)]
    return tests


async def _claim(
    session: AsyncSession, webhook: Webhook, claim: TextClause, now: datetime, limit: int
) -> list[ClaimedDelivery]:
    values = {"webhook_id": webhook.id, "now": now, "until": now + _CLAIMED_FOR, "limit": limit}
    rows = sorted(await session.execute(claim, values), key=attrgetter("next_at", "id"))
    return [
        ClaimedDelivery(row.id, row.event_id, DeliveryCause(row.cause), row.attempts, row.next_at, _event(row))
        for row in rows
    ]


def _event(row: Row[Any]) -> Event | None:
    return Event(id=row.event_id, type=row.type, at=row.at, data=row.data) if row.type else None


@dataclass(frozen=True, slots=True)
class Settled:
    """The effect of an answer: whether more may be sent now, and why the endpoint is switched off, if it is."""

    may_continue: bool
    disabled: DisabledReason | None = None


async def release_deliveries(session: AsyncSession, delivery_ids: Sequence[str]) -> None:
    """Give claimed deliveries back, of which nothing was sent."""
    await update_rows(session, Delivery, Delivery.id.in_(delivery_ids), claimed_until=None)


async def settle_failure(
    session: AsyncSession, webhook_id: str, claimed: ClaimedDelivery, answer: Answer, began: datetime, now: datetime
) -> Settled:
    """Write the answer of an endpoint that has not taken an event."""
    # Locked first: answers to several events come at the same time.
    webhook = await current_row(session, Webhook, webhook_id, lock=True)
    delivery = select(Delivery.id).where(Delivery.id == claimed.id).with_for_update(read=True, key_share=True)
    if webhook is None or await session.scalar(delivery) is None:
        # The endpoint was deleted, or this event with all that is old.
        return Settled(may_continue=False)
    values: dict[str, Any]
    if claimed.is_test:
        values = {"state": DeliveryState.EXHAUSTED.value}
        settled = Settled(may_continue=webhook.enabled and webhook.probe_at is None)
    else:
        # While the endpoint is probed, what waits spends no attempt of its schedule.
        attempts = claimed.attempts + (webhook.probe_at is None)
        next_at = next_attempt(attempts, answer, now)
        values = {"attempts": attempts, "next_at": next_at or now}
        if next_at is None:
            values["state"] = DeliveryState.EXHAUSTED.value
        disabled = _failed(webhook, claimed.event_id, answer, began, now)
        settled = Settled(webhook.enabled and webhook.probe_at is None, disabled)
    session.add(
        DeliveryAttempt(
            delivery_id=claimed.id,
            at=began,
            ms=answer.ms,
            http_status=answer.http_status,
            error=answer.error,
            response=answer.response,
        )
    )
    # An answer that comes after another worker has delivered the event again changes nothing.
    await update_rows(session, Delivery, Delivery.id == claimed.id, _IS_WAITING, **values, claimed_until=None)
    return settled


def _failed(webhook: Webhook, event_id: str, answer: Answer, began: datetime, now: datetime) -> DisabledReason | None:
    webhook.failures += 1
    webhook.failing_since = webhook.failing_since or began
    webhook.last_failure, webhook.last_failed_event = answer.error, event_id
    webhook.probe_at = next_probe(webhook.failures, answer, now)
    if answer.is_gone:
        reason = DisabledReason.GONE
    elif is_to_disable(webhook.failures, webhook.failing_since, now):
        reason = DisabledReason.FAILING
    else:
        return None
    webhook.enabled, webhook.disabled_reason, webhook.disabled_at = False, reason.value, now
    return reason


async def drop_delivery(session: AsyncSession, delivery_id: str) -> None:
    """Give up a delivery whose event is not kept any more."""
    await update_rows(session, Delivery, Delivery.id == delivery_id, state=DeliveryState.DROPPED.value)
    announce(session, delivery_id)


async def next_due(session: AsyncSession, webhook: Webhook) -> datetime | None:
    """Return when an endpoint is to be sent something next; None if nothing waits for it, or it is switched off."""
    free_at = func.greatest(Delivery.next_at, Delivery.claimed_until)
    waiting = select(func.min(free_at)).where(Delivery.webhook_id == webhook.id, _IS_WAITING)
    if not webhook.enabled:
        waiting = waiting.where(Delivery.cause == DeliveryCause.TEST)
    next_at: datetime | None = await session.scalar(waiting)
    if next_at is None or webhook.probe_at is None or not webhook.enabled:
        return next_at
    tests = select(func.min(free_at)).where(
        Delivery.webhook_id == webhook.id, _IS_WAITING, Delivery.cause == DeliveryCause.TEST
    )
    test_at: datetime | None = await session.scalar(tests)
    return min(webhook.probe_at, test_at) if test_at else webhook.probe_at


async def overdue_endpoints(session: AsyncSession, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """Return the workspaces and ids of endpoints that should have been sent something before a time."""
    due = (
        select(Delivery.id)
        .where(Delivery.webhook_id == Webhook.id, _IS_WAITING, Delivery.next_at <= before)
        .where(or_(Delivery.claimed_until.is_(None), Delivery.claimed_until <= before))
    )
    is_test = Delivery.cause == DeliveryCause.TEST
    serves = Webhook.enabled & or_(Webhook.probe_at.is_(None), Webhook.probe_at <= before)
    query = select(Webhook.workspace_id, Webhook.id).where(or_(serves & due.exists(), due.where(is_test).exists()))
    return [(row[0], row[1]) for row in await session.execute(query.order_by(Webhook.id).limit(limit))]


_RECORD = """
WITH answers AS (
  SELECT * FROM unnest($3::text[], $4::timestamptz[], $5::int[], $6::int[], $7::text[])
    AS answer (delivery_id, at, ms, http_status, response)
), attempts AS (
  -- Deliveries that were deleted meanwhile have no log.
  INSERT INTO delivery_attempts (delivery_id, at, ms, http_status, response)
  SELECT answers.* FROM answers JOIN deliveries ON deliveries.id = answers.delivery_id
), delivered AS (
  -- An answer that comes after another worker has delivered the event again changes nothing.
  UPDATE deliveries SET state = 'delivered', attempts = attempts + 1, claimed_until = NULL
  FROM answers WHERE deliveries.id = answers.delivery_id AND state = 'waiting'
), endpoint AS (
  -- Once a second at most, so that answers do not queue for the endpoint's row.
  UPDATE webhooks
  SET failures = 0, last_delivered_at = $2, failing_since = NULL, probe_at = NULL, last_failure = NULL,
      last_failed_event = NULL
  WHERE id = $1
    AND (failures > 0 OR last_delivered_at IS NULL OR last_delivered_at < $2::timestamptz - interval '1 second')
  RETURNING enabled
)
SELECT coalesce(
  (SELECT enabled FROM endpoint), (SELECT enabled AND probe_at IS NULL FROM webhooks WHERE id = $1), false
) AS is_serving
"""


@dataclass(frozen=True, slots=True)
class TakenEvent:
    """An event that an endpoint has taken, and its answer."""

    delivery_id: str
    at: datetime
    """When the request began."""
    ms: int
    http_status: int | None
    response: str | None


async def record_taken(pool: Pool, webhook_id: str, events: Sequence[TakenEvent], now: datetime) -> bool:
    """Record events that an endpoint has taken; return whether it may be sent more now."""
    row = await pool.row(
        *(_RECORD, webhook_id, now),
        *([event.delivery_id for event in events], [event.at for event in events], [event.ms for event in events]),
        *([event.http_status for event in events], [event.response for event in events]),
    )
    return row is not None and bool(row["is_serving"])
