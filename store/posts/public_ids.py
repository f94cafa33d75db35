"""Queries for posts by what their platforms call them."""

from collections.abc import Collection

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import Target

_MOST = 20


async def find_by_public_ids(session: AsyncSession, public_ids: Collection[tuple[str, str]]) -> list[str]:
    """Return the ids of up to 20 posts that are public under one of these ids, each with its platform."""
    query = select(Target.post_id).where(
        Target.platform_post_id.in_({public_id for _, public_id in public_ids}),
        tuple_(Target.platform, Target.platform_post_id).in_(public_ids),
    )
    return list(await session.scalars(query.distinct().order_by(Target.post_id).limit(_MOST)))


async def find_by_public_url(session: AsyncSession, url: str) -> list[str]:
    """Return the ids of up to 20 posts whose address is exactly this. It reads all targets: for people only."""
    query = select(Target.post_id).where(Target.platform_post_url == url)
    return list(await session.scalars(query.distinct().order_by(Target.post_id).limit(_MOST)))
