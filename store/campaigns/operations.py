"""Operations on many posts: recorded in the transaction of their change, so that both hold or neither does.

They are the audit trail of campaigns and series, and are kept as long as those of posts.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import Actor, ActorType
from domain.campaigns import OperationKind
from domain.ids import new_id
from store.models import Campaign, Operation
from store.posts.idempotency import expire_keys_of_operations
from store.rows import newest_rows


async def record_operation(
    session: AsyncSession,
    workspace_id: str,
    kind: OperationKind,
    actor: Actor,
    result: Mapping[str, Any],
    *,
    campaign_id: str | None = None,
    series_id: str | None = None,
) -> str:
    """Record what a transaction does to many posts, and return the id of the operation; the database dates it."""
    operation_id = new_id("op")
    values: dict[str, Any] = {
        "id": operation_id,
        "workspace_id": workspace_id,
        "campaign_id": campaign_id,
        "series_id": series_id,
        "kind": kind.value,
        "actor_id": actor.id,
        "result": dict(result),
    }
    if actor.type is not ActorType.API_KEY:
        # The API may not name the type of an actor: the column's default is its own.
        values["actor_type"] = actor.type.value
    await session.execute(insert(Operation).values(values))
    return operation_id


async def record_on_campaign(
    session: AsyncSession,
    campaign: Campaign,
    kind: OperationKind,
    actor: Actor,
    result: Mapping[str, Any],
) -> str:
    """Record what a transaction does to a campaign, as `record_operation` does."""
    return await record_operation(session, campaign.workspace_id, kind, actor, result, campaign_id=campaign.id)


async def list_operations(
    session: AsyncSession,
    workspace_id: str,
    limit: int,
    *,
    campaign_id: str | None = None,
    before_id: str | None = None,
) -> Sequence[Operation]:
    """Return the operations of a workspace, or on one campaign, the newest first."""
    conditions = [] if campaign_id is None else [Operation.campaign_id == campaign_id]
    return await newest_rows(session, Operation, workspace_id, limit, before_id, *conditions)


async def delete_old_operations(session: AsyncSession, now: datetime, limit: int, keep: timedelta) -> int:
    """Delete up to `limit` operations that are older than `keep`, and let their keys expire.

    Returns how many were deleted.
    """
    old = select(Operation.id).where(Operation.at < now - keep).order_by(Operation.at).limit(limit)
    deleted = list(await session.scalars(delete(Operation).where(Operation.id.in_(old)).returning(Operation.id)))
    await expire_keys_of_operations(session, deleted, now)
    return len(deleted)
