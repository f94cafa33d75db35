"""The endpoints of a workspace, as the API reads and changes them: without their secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from domain.webhooks import DeliveryState, DisabledReason
from store.locks import lock
from store.models import Delivery, DeliveryAttempt, Listener, Webhook
from store.webhooks.handover_keys import SealedSecret

_TEST = text("SELECT test_webhook_v1(:workspace_id, :webhook_id)")
_ROTATE = text("SELECT rotate_webhook_v1(:workspace_id, :webhook_id, :secret, :key_id, :overlap)")
_NOTIFY = text("SELECT pg_notify('webhook_due', :webhook_id)")
_NOW = func.clock_timestamp()
_COUNTED = 10_000
"""Waiting events are counted up to this number."""
_WITHOUT_SECRETS = (defer(Webhook.secret, raiseload=True), defer(Webhook.older_secret, raiseload=True))


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to create."""

    id: str
    workspace_id: str
    url: str
    events: Sequence[str]
    name: str | None
    enabled: bool
    secret: SealedSecret


async def create_endpoint(session: AsyncSession, endpoint: NewEndpoint, most: int) -> bool:
    """Create an endpoint and let its workspace listen; False if the workspace has `most` endpoints already."""
    await lock(session, f"webhooks.{endpoint.workspace_id}")
    existing = select(func.count()).where(Webhook.workspace_id == endpoint.workspace_id)
    if (await session.scalar(existing) or 0) >= most:
        return False
    await session.execute(
        insert(Webhook).values(
            id=endpoint.id,
            workspace_id=endpoint.workspace_id,
            url=endpoint.url,
            events=list(endpoint.events),
            name=endpoint.name,
            enabled=endpoint.enabled,
            disabled_reason=None if endpoint.enabled else DisabledReason.REQUEST.value,
            disabled_at=None if endpoint.enabled else _NOW,
            secret=endpoint.secret.sealed,
            secret_key=endpoint.secret.key_id,
        )
    )
    await session.execute(upsert(Listener).values(workspace_id=endpoint.workspace_id).on_conflict_do_nothing())
    # Names no endpoint: nothing waits for this one, but the listener looks again whether there are any.
    await session.execute(_NOTIFY, {"webhook_id": ""})
    return True


async def list_endpoints(session: AsyncSession, workspace_id: str) -> list[Webhook]:
    """Return all endpoints of a workspace, the oldest first."""
    query = select(Webhook).where(Webhook.workspace_id == workspace_id).order_by(Webhook.id).options(*_WITHOUT_SECRETS)
    return list(await session.scalars(query))


async def find_endpoint(session: AsyncSession, workspace_id: str, webhook_id: str) -> Webhook | None:
    """Return an endpoint of a workspace."""
    query = select(Webhook).where(Webhook.workspace_id == workspace_id, Webhook.id == webhook_id)
    return await session.scalar(query.options(*_WITHOUT_SECRETS))


async def change_endpoint(session: AsyncSession, workspace_id: str, webhook_id: str, **values: object) -> None:
    """Change settings of an endpoint, and deliver what waits if it is enabled now."""
    own = (Webhook.workspace_id == workspace_id, Webhook.id == webhook_id)
    without_session = {"synchronize_session": False}
    await session.execute(update(Webhook).where(*own).values(**values), execution_options=without_session)
    await session.execute(_NOTIFY, {"webhook_id": webhook_id})


def switched(enabled: bool) -> dict[str, object]:
    """Return the columns of an endpoint that a client switches on, with a clean record, or off.

    Deliveries are made a moment later: by both times, which are the database's as those of events.
    """
    if enabled:
        again = {"failing_since": None, "failures": 0, "probe_at": None}
        return {"enabled": True, "disabled_reason": None, "enabled_at": _NOW, **again}
    return {"enabled": False, "disabled_reason": DisabledReason.REQUEST.value, "disabled_at": _NOW}


async def delete_endpoint(session: AsyncSession, workspace_id: str, webhook_id: str) -> bool:
    """Delete an endpoint; False if the workspace has no such endpoint. The log of it stays for its time."""
    gone = delete(Webhook).where(Webhook.workspace_id == workspace_id, Webhook.id == webhook_id).returning(Webhook.id)
    return await session.scalar(gone, execution_options={"synchronize_session": False}) is not None


async def count_waiting(session: AsyncSession, webhook_ids: Sequence[str]) -> dict[str, int]:
    """Return how many events wait for each endpoint: at most _COUNTED."""
    counts = {}
    for webhook_id in webhook_ids:
        waiting = select(Delivery.id).where(
            Delivery.webhook_id == webhook_id, Delivery.state == text(f"'{DeliveryState.WAITING.value}'")
        )
        counts[webhook_id] = (
            await session.scalar(select(func.count()).select_from(waiting.limit(_COUNTED).subquery())) or 0
        )
    return counts


async def add_test(session: AsyncSession, workspace_id: str, webhook_id: str) -> str | None:
    """Add a test event for one endpoint, enabled or not; return its delivery's id, None if there is none."""
    delivery_id: str | None = await session.scalar(_TEST, {"workspace_id": workspace_id, "webhook_id": webhook_id})
    if delivery_id is not None:
        await session.execute(_NOTIFY, {"webhook_id": webhook_id})
    return delivery_id


async def rotate_secret(
    session: AsyncSession, workspace_id: str, webhook_id: str, secret: SealedSecret, overlap: timedelta
) -> bool:
    """Give an endpoint a new secret, beside which the older one is used for a while; False if there is none."""
    values = {"secret": secret.sealed, "key_id": secret.key_id, "overlap": overlap}
    return bool(await session.scalar(_ROTATE, {"workspace_id": workspace_id, "webhook_id": webhook_id, **values}))


async def delivery_outcome(session: AsyncSession, delivery_id: str) -> tuple[DeliveryState, DeliveryAttempt | None]:
    """Return the state of a delivery, and its last attempt."""
    state = await session.scalar(select(Delivery.state).where(Delivery.id == delivery_id))
    last = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery_id)
    attempt = await session.scalar(last.order_by(DeliveryAttempt.id.desc()).limit(1))
    return DeliveryState(state or DeliveryState.DROPPED), attempt
