"""Workspaces and their API keys: made, recognized, listed and revoked. A key itself is never stored."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.api_keys import ALL_SCOPES, SHOWN, Scope, new_key_text
from domain.ids import new_id, new_workspace_id
from domain.workspaces import ConnectPage
from store.models import ApiKey, Workspace
from store.rows import count_rows


async def create_workspace(session: AsyncSession, name: str) -> str:
    """Create a workspace and return its id."""
    workspace = Workspace(id=new_workspace_id(), name=name)
    session.add(workspace)
    await session.flush()
    return workspace.id


async def name_of_workspace(session: AsyncSession, workspace_id: str) -> str | None:
    """Return a workspace's name, which never changes; None if there is no such workspace."""
    return await session.scalar(select(Workspace.name).where(Workspace.id == workspace_id))


async def read_connect_page(session: AsyncSession, workspace_id: str) -> ConnectPage:
    """Return how a workspace looks to people who connect accounts."""
    columns = select(Workspace.page_name, Workspace.page_logo).where(Workspace.id == workspace_id)
    row = (await session.execute(columns)).one()
    return ConnectPage(row.page_name, row.page_logo)


async def write_connect_page(session: AsyncSession, workspace_id: str, page: ConnectPage) -> None:
    """Set how a workspace looks to people who connect accounts."""
    values = {"page_name": page.name, "page_logo": page.logo}
    await session.execute(update(Workspace).where(Workspace.id == workspace_id).values(values))


async def find_workspace(session: AsyncSession, name_or_id: str) -> str | None:
    """Return the id of the workspace with that id or name."""
    return await session.scalar(
        select(Workspace.id).where(or_(Workspace.id == name_or_id, Workspace.name == name_or_id))
    )


_IS_VALID = (ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))
_RECOGNIZE = text(
    """
WITH found AS (
  SELECT sha256, id, workspace_id, scopes, rate_per_minute FROM api_keys
  WHERE sha256 = :digest AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
), used AS (
  -- A row that somebody else has locked is left as it is: no request waits for this.
  UPDATE api_keys SET last_used_at = now() WHERE sha256 = (
    SELECT api_keys.sha256 FROM api_keys JOIN found USING (sha256)
    WHERE last_used_at IS NULL OR last_used_at < now() - interval '1 minute'
    FOR NO KEY UPDATE OF api_keys SKIP LOCKED
  )
)
SELECT id, workspace_id, scopes, rate_per_minute FROM found
"""
)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `key` is shown once and cannot be read again."""

    id: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that a request came with, and the workspace for which it speaks."""

    key_id: str
    workspace_id: str
    scopes: frozenset[str] = frozenset(ALL_SCOPES)
    rate_per_minute: int | None = None
    """Its own limit of requests; 0 for any number, None for that of all keys."""


def digest(key: str) -> bytes:
    """Return the digest by which a key is stored."""
    # A key has 256 random bits, so it cannot be guessed, and a plain hash is enough.
    return hashlib.sha256(key.encode()).digest()


async def create_key(
    session: AsyncSession,
    workspace_id: str,
    name: str = "",
    valid_for: timedelta | None = None,
    scopes: Collection[Scope] = ALL_SCOPES,
    rate_per_minute: int | None = None,
) -> NewKey:
    """Create an API key of a workspace, for a while or until it is revoked. Only the owner of the tables may."""
    expires_at = None if valid_for is None else datetime.now(UTC) + valid_for
    return await _add_key(
        session,
        workspace_id=workspace_id,
        name=name,
        scopes=list(scopes),
        expires_at=expires_at,
        rate_per_minute=rate_per_minute,
    )


async def replace_key(session: AsyncSession, key_id: str, overlap: timedelta) -> NewKey | None:
    """Create a key like another one, which ends after `overlap`; None if that is not valid or is being replaced.

    Only the owner of the tables may.
    """
    old = await session.scalar(select(ApiKey).where(ApiKey.id == key_id).with_for_update())
    if old is None or not old.is_valid or old.replaced_by is not None:
        return None
    key = await _add_key(
        session,
        workspace_id=old.workspace_id,
        name=old.name,
        scopes=old.scopes,
        expires_at=old.expires_at,
        rate_per_minute=old.rate_per_minute,
    )
    end = datetime.now(UTC) + overlap
    old.expires_at = end if old.expires_at is None else min(old.expires_at, end)
    old.replaced_by = key.id
    return key


async def _add_key(session: AsyncSession, **columns: Any) -> NewKey:
    key = NewKey(new_id("key"), new_key_text())
    session.add(ApiKey(id=key.id, sha256=digest(key.key), prefix=key.key[:SHOWN], **columns))
    await session.flush()
    return key


async def recognize_key(session: AsyncSession, key: str) -> Caller | None:
    """Return the caller of a key; None if it is unknown, revoked or expired. Notes its use at most once a minute."""
    row = (await session.execute(_RECOGNIZE, {"digest": digest(key)})).one_or_none()
    return None if row is None else Caller(row.id, row.workspace_id, frozenset(row.scopes), row.rate_per_minute)


async def workspace_of_key(session: AsyncSession, key: str) -> str | None:
    """Return the workspace of a key, None if it is unknown, revoked or expired; this is not recorded as a use."""
    return await session.scalar(select(ApiKey.workspace_id).where(ApiKey.sha256 == digest(key), *_IS_VALID))


async def list_keys(session: AsyncSession, workspace_id: str | None = None) -> list[tuple[ApiKey, str]]:
    """Return the keys of one workspace, or of all, oldest first, each with the name of its workspace."""
    query = select(ApiKey, Workspace.name).join(Workspace, Workspace.id == ApiKey.workspace_id)
    if workspace_id is not None:
        query = query.where(ApiKey.workspace_id == workspace_id)
    return [(key, name) for key, name in await session.execute(query.order_by(ApiKey.id))]


async def revoke_key(session: AsyncSession, key_id: str) -> bool:
    """Revoke a key; return whether there is one of this id. The time of the first revocation stays."""
    revoked = update(ApiKey).where(ApiKey.id == key_id)
    revoked = revoked.values(revoked_at=func.coalesce(ApiKey.revoked_at, func.now()))
    return await session.scalar(revoked.returning(ApiKey.id)) is not None


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
    return await count_rows(session, ApiKey.workspace_id == workspace_id, *_IS_VALID)
