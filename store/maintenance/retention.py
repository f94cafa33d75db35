"""The deletion of posts that were settled long ago, workspace by workspace."""

from collections.abc import Sequence

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import Workspace

_DELETE = text("SELECT delete_past_posts_v1(:workspace_id, :days, :most)")


async def set_days(session: AsyncSession, workspace_id: str, days: int | None) -> None:
    """Set for how many days a workspace's settled posts are kept: 0 is for ever, None is what the operator has set."""
    await session.execute(update(Workspace).where(Workspace.id == workspace_id).values(posts_kept_days=days))


async def workspaces_to_tidy(session: AsyncSession, days: int, after: str, most: int) -> Sequence[str]:
    """Return the next ids of workspaces that keep their posts for a limited time, in order."""
    limited = func.coalesce(Workspace.posts_kept_days, days) > 0
    query = select(Workspace.id).where(limited, Workspace.id > after).order_by(Workspace.id).limit(most)
    return (await session.scalars(query)).all()


async def delete_past_posts(session: AsyncSession, workspace_id: str, days: int, most: int) -> int:
    """Delete up to `most` posts that a workspace has kept for long enough; return how many there were."""
    values = {"workspace_id": workspace_id, "days": days, "most": most}
    return await session.scalar(_DELETE, values) or 0
