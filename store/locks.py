"""Advisory locks of PostgreSQL, for work that one process at a time does."""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def try_lock(session: AsyncSession, name: str) -> bool:
    """Take a lock until the transaction ends. Return False if another transaction holds it."""
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(_number(name)))))


async def lock(session: AsyncSession, name: str) -> None:
    """Take a lock until the transaction ends, and wait for another transaction that holds it."""
    await session.execute(select(func.pg_advisory_xact_lock(_number(name))))


def _number(name: str) -> ColumnElement[int]:
    return func.hashtextextended(f"socialsyncer.{name}", 0)
