"""Advisory locks of PostgreSQL, for work that one process at a time does."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def lock(session: AsyncSession, name: str) -> None:
    """Take a lock until the transaction ends, and wait for another transaction that holds it."""
    number = func.hashtextextended(f"socialsyncer.{name}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(number)))
