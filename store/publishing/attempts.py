"""Queries of the attempt log: every step towards a platform, for a person who must explain a post."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import Attempt, Target


async def list_attempts(
    session: AsyncSession, post_id: str, limit: int = 100, after_id: int = 0
) -> list[tuple[Attempt, Target]]:
    """Return up to `limit` steps of a post's targets, oldest first, that come after the step `after_id`."""
    query = (
        select(Attempt, Target)
        .join(Target, Target.id == Attempt.target_id)
        .where(Target.post_id == post_id, Attempt.id > after_id)
        .order_by(Attempt.id)
        .limit(limit)
    )
    return [(row.Attempt, row.Target) for row in await session.execute(query)]


async def most_attempts(session: AsyncSession, target_ids: Sequence[str]) -> int:
    """Return the largest number of steps that any of these targets has."""
    counts = select(func.count()).where(Attempt.target_id.in_(target_ids)).group_by(Attempt.target_id)
    return max(await session.scalars(counts), default=0)
