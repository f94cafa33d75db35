"""The retention of events, and the events of accounts and keys that end."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.events import KEPT
from domain.ids import first_id
from store.deletes import delete_rows
from store.models import Event, Listener, Webhook


async def delete_past_events(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` events that are older than KEPT; return how many were deleted."""
    # An id begins with its time.
    past = select(Event.id).where(Event.id < first_id("evt", now - KEPT)).order_by(Event.id).limit(limit)
    return await delete_rows(session, Event.id, Event.id.in_(past))


async def delete_past_listeners(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` listeners without webhooks whose feeds were not read for KEPT; return how many."""
    has_webhook = select(Webhook.id).where(Webhook.workspace_id == Listener.workspace_id).exists()
    past = select(Listener.workspace_id).where(Listener.read_at < now - KEPT, ~has_webhook).limit(limit)
    return await delete_rows(session, Listener.workspace_id, Listener.workspace_id.in_(past))


async def emit_ends(session: AsyncSession, within: timedelta) -> int:
    """Write an event for each account and key that ends `within` a time, once for each end; return how many."""
    return await session.scalar(select(func.emit_ends_v1(within))) or 0
