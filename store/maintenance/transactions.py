"""The oldest transaction of the database: events wait for it, if it writes, and vacuum does in any case."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

TOO_OLD = timedelta(minutes=5)
"""The age from which a transaction is reported. The longest of this service is a command's batch; our choice."""


async def oldest_transaction(session: AsyncSession) -> timedelta:
    """Return the age of the oldest transaction that the owner of the tables may see; zero if there is none."""
    return await session.scalar(select(func.oldest_transaction_v1())) or timedelta(0)
