"""Read the attempt log: every step towards a network, for whoever must explain a post."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import Attempt, Target


async def list_attempts(session: AsyncSession, post_id: str) -> list[tuple[Attempt, Target]]:
    """Return the steps of a post's targets, oldest first."""
    query = select(Attempt, Target).join(Target, Target.id == Attempt.target_id).where(Target.post_id == post_id)
    return [(row.Attempt, row.Target) for row in await session.execute(query.order_by(Attempt.id))]
