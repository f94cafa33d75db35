"""The log of what endpoints got, the delivery of it again, and its bounds."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, literal, select, text, true, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import first_id, last_id
from domain.webhooks import KEPT, DeliveryCause, DeliveryState
from store.announcer import announce
from store.due import Due
from store.models import Delivery, DeliveryAttempt, Event, Webhook
from store.rows import delete_first, update_rows

_AGAIN = {"state": DeliveryState.WAITING.value, "attempts": 0}


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The deliveries that a client asks for; None for any."""

    webhook_id: str | None = None
    state: str | None = None
    event_type: str | None = None
    event_id: str | None = None
    post_id: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """A delivery with its event and its attempts, the first one first."""

    delivery: Delivery
    event: Event
    attempts: Sequence[DeliveryAttempt]


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A place in a log: after a delivery."""

    event_id: str
    webhook_id: str


async def read_log(
    session: AsyncSession, workspace_id: str, selection: LogFilter, after: LogPosition | None, limit: int
) -> list[LoggedDelivery]:
    """Return up to `limit` deliveries to a workspace's endpoints, those of the newest events first."""
    own = select(Webhook.id).where(Webhook.workspace_id == workspace_id)
    if selection.webhook_id is not None:
        own = own.where(Webhook.id == selection.webhook_id)
    endpoint = own.subquery()
    query = select(Delivery, Event).join(Event, Event.id == Delivery.event_id)
    query = query.where(Delivery.webhook_id == endpoint.c.id)
    for column, value in (
        (Delivery.state, selection.state),
        (Event.type, selection.event_type),
        (Delivery.event_id, selection.event_id),
        (Event.post_id, selection.post_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        before = func.row(Delivery.event_id, Delivery.webhook_id) < func.row(after.event_id, after.webhook_id)
        query = query.where(before)
    order = Delivery.event_id.desc(), Delivery.webhook_id.desc()
    # An endpoint's own index has its deliveries in this order; of each, a page's length is read.
    page = query.order_by(*order).limit(limit).lateral()
    ids = select(page.c.webhook_id, page.c.event_id).select_from(endpoint).join(page, true())
    ids = ids.order_by(page.c.event_id.desc(), page.c.webhook_id.desc()).limit(limit)
    keys = ids.subquery()
    rows = await session.execute(
        select(Delivery, Event)
        .join(keys, (keys.c.webhook_id == Delivery.webhook_id) & (keys.c.event_id == Delivery.event_id))
        .join(Event, Event.id == Delivery.event_id)
        .order_by(*order)
    )
    entries = [(row[0], row[1]) for row in rows]
    attempts: dict[str, list[DeliveryAttempt]] = {delivery.id: [] for delivery, _ in entries}
    attempts_made = (
        select(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_(attempts)).order_by(DeliveryAttempt.id)
    )
    for attempt in await session.scalars(attempts_made):
        attempts[attempt.delivery_id].append(attempt)
    return [LoggedDelivery(delivery, event, attempts[delivery.id]) for delivery, event in entries]


async def redeliver(
    session: AsyncSession, workspace_id: str, delivery_ids: Collection[str], now: datetime
) -> Collection[str]:
    """Deliver again what endpoints of a workspace got or did not get; return the ids that it has."""
    own = select(Webhook.id).where(Webhook.workspace_id == workspace_id)
    rows = await session.execute(
        update(Delivery)
        .where(Delivery.id.in_(delivery_ids), Delivery.webhook_id.in_(own))
        .values(**_AGAIN, next_at=now, cause=DeliveryCause.REDELIVERY.value)
        .returning(Delivery.id, Delivery.webhook_id),
        execution_options={"synchronize_session": False},
    )
    webhooks = {row[0]: row[1] for row in rows}
    announce(session, *sorted(set(webhooks.values())))
    return set(webhooks)


async def redeliver_exhausted(session: AsyncSession, webhook_id: str, now: datetime) -> None:
    """Deliver again what an endpoint did not get although all attempts were made. Tests are left alone."""
    is_exhausted = (Delivery.state == DeliveryState.EXHAUSTED, Delivery.cause != DeliveryCause.TEST)
    again = {**_AGAIN, "next_at": now, "cause": DeliveryCause.REDELIVERY.value}
    await update_rows(session, Delivery, Delivery.webhook_id == webhook_id, *is_exhausted, **again)


async def recover(session: AsyncSession, webhook: Webhook, since: datetime, until: datetime, most: int) -> int:
    """Deliver the oldest `most` events of a time that an endpoint has not got; return how many there were."""
    # An id begins with its time.
    missed = (
        select(literal(webhook.id), Event.id, literal(DeliveryCause.RECOVERY.value))
        .where(
            Event.workspace_id == webhook.workspace_id,
            Event.id >= first_id("evt", since),
            Event.id <= last_id("evt", until),
            func.wants_event_v1(webhook.events, Event.type),
        )
        .where(
            ~select(Delivery.id)
            .where(Delivery.webhook_id == webhook.id, Delivery.event_id == Event.id)
            .where(Delivery.state.in_((DeliveryState.WAITING, DeliveryState.DELIVERED)))
            .exists()
        )
        .order_by(Event.id)
        .limit(most)
    )
    statement = upsert(Delivery).from_select(["webhook_id", "event_id", "cause"], missed)
    again = statement.on_conflict_do_update(
        index_elements=[Delivery.webhook_id, Delivery.event_id],
        set_={**_AGAIN, "next_at": func.clock_timestamp(), "cause": DeliveryCause.RECOVERY.value},
    )
    recovered = len((await session.execute(again.returning(Delivery.event_id))).all())
    announce(session, webhook.id)
    return recovered


WAITING, ENDPOINTS = Due("deliveries", "deliveries.state = 'waiting'"), Due("webhooks", "true")
_IS_WAITING = text(WAITING.sql())
_FIRST_WITHOUT_DELIVERY = text("""
    SELECT min(events.at)
    FROM delivery_progress
    JOIN events ON events.xid >= delivery_progress.low AND events.type <> 'webhook.test'
    JOIN webhooks ON webhooks.workspace_id = events.workspace_id
    WHERE webhooks.workspace_id = coalesce(:workspace_id, webhooks.workspace_id)
      AND webhooks.enabled AND webhooks.probe_at IS NULL AND wants_event_v1(webhooks.events, events.type)
      AND events.at >= greatest(webhooks.created_at, webhooks.enabled_at)
      AND NOT EXISTS (SELECT FROM deliveries WHERE webhook_id = webhooks.id AND event_id = events.id)
""")
"""The time of the first event of an endpoint that works whose delivery no worker has made yet (make_deliveries_v1)."""


async def delete_past_deliveries(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` deliveries that are older than KEPT; return how many were deleted."""
    return await delete_first(session, Delivery.id, Delivery.id, limit, Delivery.id < first_id("dlv", now - KEPT))


async def drop_surplus(session: AsyncSession, most: int) -> int:
    """Give up the oldest events beyond the `most` that may wait for one endpoint; return how many."""
    crowded = (
        select(Delivery.webhook_id, func.count())
        .where(_IS_WAITING)
        .group_by(Delivery.webhook_id)
        .having(func.count() > most)
    )
    dropped = 0
    for webhook_id, count in (await session.execute(crowded)).all():
        oldest = select(Delivery.id).where(Delivery.webhook_id == webhook_id, _IS_WAITING)
        surplus = oldest.order_by(Delivery.event_id).limit(count - most)
        await update_rows(session, Delivery, Delivery.id.in_(surplus), state=DeliveryState.DROPPED.value)
        dropped += count - most
    return dropped


@dataclass(frozen=True, slots=True)
class WebhookNumbers:
    """The endpoints and deliveries of one workspace, or of all, in numbers."""

    waiting: int
    overdue: timedelta
    """For how long the most overdue event of an endpoint that works has been due."""
    failing: int
    disabled: int


async def measure_webhooks(session: AsyncSession, now: datetime, workspace_id: str | None = None) -> WebhookNumbers:
    """Return the numbers of now, of one workspace or of all."""
    own = true() if workspace_id is None else Webhook.workspace_id == workspace_id
    count = select(func.count()).select_from(Delivery).where(_IS_WAITING)
    if workspace_id is not None:
        count = count.where(Delivery.webhook_id.in_(select(Webhook.id).where(own)))
    serving = select(Webhook.id).where(own, Webhook.enabled, Webhook.probe_at.is_(None))
    oldest = await session.scalar(
        select(func.min(Delivery.next_at)).where(_IS_WAITING, Delivery.webhook_id.in_(serving))
    )
    failing = func.count().filter(Webhook.enabled, Webhook.probe_at.is_not(None))
    disabled = func.count().filter(~Webhook.enabled, Webhook.disabled_reason != "request")
    row = (await session.execute(select(failing, disabled).select_from(Webhook).where(own))).one()
    first_event = await session.scalar(_FIRST_WITHOUT_DELIVERY, {"workspace_id": workspace_id})
    oldest = min((at for at in (oldest, first_event) if at), default=None)
    overdue = max(now - oldest, timedelta(0)) if oldest else timedelta(0)
    return WebhookNumbers(await session.scalar(count) or 0, overdue, row[0], row[1])
