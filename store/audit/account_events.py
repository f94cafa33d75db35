"""The audit trail of accounts: who connected and removed them. A line is written in the transaction of its change."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.account_events import NEEDED, AccountAction
from domain.audit import Actor
from store.deletes import delete_rows
from store.models import AccountEvent, ApiKey


def add_account_event(
    session: AsyncSession,
    *,
    workspace_id: str,
    platform: str,
    account_id: str,
    action: AccountAction,
    actor: Actor,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add a line to a transaction; the database dates it."""
    session.add(
        AccountEvent(
            workspace_id=workspace_id,
            platform=platform,
            account_id=account_id,
            action=action.value,
            actor_type=actor.type.value,
            actor_id=actor.id,
            details=dict(details or {}),
        )
    )


async def account_events(
    session: AsyncSession, workspace_id: str, platform: str | None, account_id: str, limit: int
) -> list[AccountEvent]:
    """Return the newest lines of an account of any or one platform, connected or not, the newest first."""
    query = select(AccountEvent).where(
        AccountEvent.workspace_id == workspace_id,
        AccountEvent.account_id == account_id,
        *([] if platform is None else [AccountEvent.platform == platform]),
    )
    return list(await session.scalars(query.order_by(AccountEvent.id.desc()).limit(limit)))


async def last_removal(session: AsyncSession, workspace_id: str, platform: str, account_id: str) -> AccountEvent | None:
    """Return the line that says who removed an account; None if it was not, or was connected again since then."""
    query = select(AccountEvent).where(
        *_of_account(workspace_id, platform, account_id),
        AccountEvent.action.in_((AccountAction.CONNECTED, AccountAction.RECONNECTED, AccountAction.REMOVED)),
    )
    newest = await session.scalar(query.order_by(AccountEvent.id.desc()).limit(1))
    return newest if newest is not None and newest.action == AccountAction.REMOVED else None


async def ended_since(session: AsyncSession, event: AccountEvent) -> set[str]:
    """Return the ids of the revocations of an account that its platform has carried out since a line was written."""
    query = select(AccountEvent.details["revocation_id"].astext).where(
        *_of_account(event.workspace_id, event.platform, event.account_id),
        AccountEvent.id > event.id,
        AccountEvent.action == AccountAction.REVOKED,
    )
    return {revocation_id for revocation_id in await session.scalars(query) if revocation_id is not None}


async def has_given_up_revocations(session: AsyncSession, workspace_id: str, platform: str, account_id: str) -> bool:
    """Return whether an authorization of an account was given up: it remains at the platform, for all that is known."""
    given_up = select(AccountEvent.id).where(
        *_of_account(workspace_id, platform, account_id),
        AccountEvent.action == AccountAction.NOT_REVOKED,
        ~AccountEvent.details.contains(NEEDED),
    )
    return bool(await session.scalar(select(exists(given_up))))


async def names_of_keys(session: AsyncSession, actor_ids: Iterable[str | None]) -> dict[str, str]:
    """Return the names of the API keys among actors, by their ids."""
    ids = {actor_id for actor_id in actor_ids if actor_id is not None}
    rows = await session.execute(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(ids)))
    return {row.id: row.name for row in rows}


async def delete_old_account_events(session: AsyncSession, now: datetime, limit: int, keep: timedelta) -> int:
    """Delete up to `limit` lines that are older than `keep`; return how many were deleted."""
    oldest = select(AccountEvent.id, AccountEvent.at).order_by(AccountEvent.id).limit(limit).subquery()
    old = select(oldest.c.id).where(oldest.c.at < now - keep)
    return await delete_rows(session, AccountEvent.id, AccountEvent.id.in_(old))


def _of_account(workspace_id: str, platform: str, account_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        AccountEvent.workspace_id == workspace_id,
        AccountEvent.account_id == account_id,
        AccountEvent.platform == platform,
    )
