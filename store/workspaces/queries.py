"""Workspaces: created, and found by their name or id."""

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.connect_pages import ConnectPage
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
