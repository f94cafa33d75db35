"""Workspaces and the API keys that speak for them."""

import hashlib
import secrets

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import new_workspace_id
from store.models import ApiKey, Workspace

_KEY_PREFIX = "sk_"


def _digest(key: str) -> bytes:
    # A key has 256 random bits: a plain hash is enough, nothing can be guessed.
    return hashlib.sha256(key.encode()).digest()


async def create_workspace(session: AsyncSession, name: str) -> str:
    """Create a workspace and return its id."""
    workspace = Workspace(id=new_workspace_id(), name=name)
    session.add(workspace)
    await session.flush()
    return workspace.id


async def find_workspace(session: AsyncSession, name_or_id: str) -> str | None:
    """Return the id of the workspace with that id or name."""
    return await session.scalar(
        select(Workspace.id).where(or_(Workspace.id == name_or_id, Workspace.name == name_or_id))
    )


async def create_key(session: AsyncSession, workspace_id: str, name: str = "") -> str:
    """Create an API key and return it; it cannot be read again."""
    key = _KEY_PREFIX + secrets.token_urlsafe(32)
    session.add(ApiKey(sha256=_digest(key), workspace_id=workspace_id, name=name))
    await session.flush()
    return key


async def workspace_of_key(session: AsyncSession, key: str) -> str | None:
    """Return the workspace a key speaks for, None where it is unknown or revoked."""
    return await session.scalar(
        select(ApiKey.workspace_id).where(ApiKey.sha256 == _digest(key), ApiKey.revoked_at.is_(None))
    )
