"""Workspaces that listen, and their events, for tests."""

from typing import Any

from sqlalchemy import delete, insert, select

from store.database import Database
from store.models import Event, Listener


async def listen(database: Database, workspace_id: str) -> None:
    """Let a workspace listen from now on, without its earlier events."""
    async with database.transaction() as session:
        await session.execute(delete(Event).where(Event.workspace_id == workspace_id))
        await session.execute(delete(Listener).where(Listener.workspace_id == workspace_id))
        await session.execute(insert(Listener).values(workspace_id=workspace_id))


async def events(database: Database, workspace_id: str) -> list[Event]:
    """Return the events of a workspace, in the order in which they were written."""
    async with database.transaction() as session:
        query = select(Event).where(Event.workspace_id == workspace_id).order_by(Event.seq)
        return list(await session.scalars(query))


async def told(database: Database, workspace_id: str, *fields: str) -> list[tuple[Any, ...]]:
    """Return the type of each event of a workspace, and these fields of its data."""
    return [(event.type, *(event.data.get(name) for name in fields)) for event in await events(database, workspace_id)]
