"""The database's clock: the one that all processes share, whatever their machines' clocks say."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

SKEWED_FROM = timedelta(seconds=5)
"""The difference from which a clock is called wrong; machines that follow a time server differ by milliseconds."""


async def database_now(session: AsyncSession) -> datetime:
    """Return the time of the database's clock."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def measure_skew(session: AsyncSession) -> timedelta:
    """Return by how much this machine's clock is ahead of the database's; zero if the answer took too long to say."""
    began, local = time.monotonic(), datetime.now(UTC)
    theirs = await database_now(session)
    return skew_of_answer(local, timedelta(seconds=time.monotonic() - began), theirs)


def skew_of_answer(local: datetime, took: timedelta, theirs: datetime) -> timedelta:
    """Return by how much this machine's clock was ahead when it was `local` and an answer was asked for."""
    skew = local + took / 2 - theirs
    return skew if abs(skew) > took / 2 else timedelta(0)
