"""The bounds of deliveries: how many wait, how long they are kept, and their numbers for the person on call."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.events import KEPT
from domain.ids import first_id
from domain.webhooks import DeliveryState
from store.deletes import delete_rows
from store.models import Delivery, Webhook

_IS_WAITING = text("deliveries.state = 'waiting'")
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
    past = select(Delivery.id).where(Delivery.id < first_id("dlv", now - KEPT)).order_by(Delivery.id).limit(limit)
    return await delete_rows(session, Delivery.id, Delivery.id.in_(past))


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
        await session.execute(
            update(Delivery).where(Delivery.id.in_(surplus)).values(state=DeliveryState.DROPPED.value),
            execution_options={"synchronize_session": False},
        )
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
