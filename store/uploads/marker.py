"""The name of the object by which processes recognize the store of uploads."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import StorageMarker


async def read_marker(session: AsyncSession) -> str | None:
    """Return the key of the marker; None if no process has named one yet."""
    return await session.scalar(select(StorageMarker.key))


async def name_marker(session: AsyncSession, key: str) -> str:
    """Name the marker if no process has done so before, and return the key that was named first."""
    await session.execute(insert(StorageMarker).values(key=key).on_conflict_do_nothing())
    return (await session.scalars(select(StorageMarker.key))).one()
