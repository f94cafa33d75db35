"""Advisory locks of PostgreSQL, for work that one process at a time does."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def try_lock(session: AsyncSession, name: str) -> bool:
    """Take a lock until the transaction ends. Return False if another transaction holds it."""
    number = func.hashtextextended(f"socialsyncer.{name}", 0)
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(number))))
