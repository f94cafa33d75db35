"""Workspaces: created, and found by their name or id."""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import new_workspace_id
from store.models import Workspace


async def create_workspace(session: AsyncSession, name: str) -> str:
    """Create a workspace and return its id."""
    workspace = Workspace(id=new_workspace_id(), name=name)
    session.add(workspace)
    await session.flush()
    return workspace.id


async def name_of_workspace(session: AsyncSession, workspace_id: str) -> str | None:
    """Return a workspace's name, which never changes; None if there is no such workspace."""
    return await session.scalar(select(Workspace.name).where(Workspace.id == workspace_id))


async def find_workspace(session: AsyncSession, name_or_id: str) -> str | None:
    """Return the id of the workspace with that id or name."""
    return await session.scalar(
        select(Workspace.id).where(or_(Workspace.id == name_or_id, Workspace.name == name_or_id))
    )
