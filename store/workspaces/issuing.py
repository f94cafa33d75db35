"""Keys that are created and listed over the API, whose role cannot create one by itself (`issue_key_v1`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.api_keys import SHOWN, new_key_text
from domain.ids import new_id
from domain.scopes import Scope
from store.models import ApiKey
from store.workspaces.keys import NewKey, digest

_ISSUE = text(
    "SELECT issue_key_v1(:caller, :id, :sha256, :prefix, :name, :scopes, :expires_at, :rate, :replaces, :overlap)"
)


@dataclass(frozen=True, slots=True)
class KeyWish:
    """A key to issue; `replaces` is the id of the one that it replaces, which ends after `overlap`."""

    name: str
    scopes: list[Scope]
    expires_at: datetime | None
    rate_per_minute: int | None = None
    replaces: str | None = None
    overlap: timedelta = timedelta(0)


async def issue_key(session: AsyncSession, caller: str, wish: KeyWish) -> NewKey | None:
    """Create a key for the holder of the key `caller`; None if the database refuses it to that key.

    `caller` is the key itself, of which nothing is written.
    """
    key = NewKey(new_id("key"), new_key_text())
    values = {
        "caller": caller,
        "id": key.id,
        "sha256": digest(key.key),
        "prefix": key.key[:SHOWN],
        "name": wish.name,
        "scopes": list(wish.scopes),
        "expires_at": wish.expires_at,
        "rate": wish.rate_per_minute,
        "replaces": wish.replaces,
        "overlap": wish.overlap,
    }
    return None if await session.scalar(_ISSUE, values) is None else key


async def revoke_key_for(session: AsyncSession, caller: str, key_id: str) -> bool:
    """Revoke a key for the holder of the key `caller`; return whether the database lets it."""
    return bool(await session.scalar(text("SELECT revoke_key_v1(:caller, :id)"), {"caller": caller, "id": key_id}))


async def count_valid_keys(session: AsyncSession, workspace_id: str) -> int:
    """Return how many keys of a workspace are neither revoked nor expired."""
    living = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())
    query = select(func.count()).where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None), living)
    return await session.scalar(query) or 0


async def find_key(session: AsyncSession, workspace_id: str, key_id: str) -> ApiKey | None:
    """Return a key of a workspace by its id."""
    return await session.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.workspace_id == workspace_id))


async def list_page_of_keys(
    session: AsyncSession, workspace_id: str, limit: int, before_id: str | None
) -> Sequence[ApiKey]:
    """Return keys of a workspace, the newest first, from the one before `before_id` on."""
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id)
    if before_id is not None:
        query = query.where(ApiKey.id < before_id)
    return (await session.scalars(query.order_by(ApiKey.id.desc()).limit(limit))).all()
