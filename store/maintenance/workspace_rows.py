"""Rows of one workspace that its deletion and its export need beside those of whole tables."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import UploadState
from store.models import ConnectedAccount, Post, Upload, Webhook


async def count_posts(session: AsyncSession, workspace_id: str) -> int:
    """Return how many posts a workspace has."""
    return await session.scalar(select(func.count()).where(Post.workspace_id == workspace_id)) or 0


async def list_accounts(session: AsyncSession, workspace_id: str) -> Sequence[tuple[str, str]]:
    """Return the connected accounts as platform and id."""
    columns = select(ConnectedAccount.platform, ConnectedAccount.id)
    rows = await session.execute(columns.where(ConnectedAccount.workspace_id == workspace_id))
    return [(row.platform, row.id) for row in rows]


async def list_webhooks(session: AsyncSession, workspace_id: str) -> Sequence[str]:
    """Return the ids of the endpoints."""
    return (await session.scalars(select(Webhook.id).where(Webhook.workspace_id == workspace_id))).all()


async def list_uploads(session: AsyncSession, workspace_id: str, most: int) -> Sequence[Upload]:
    """Return up to `most` uploads, in any state."""
    return (await session.scalars(select(Upload).where(Upload.workspace_id == workspace_id).limit(most))).all()


async def list_ready_uploads(session: AsyncSession, workspace_id: str, after: str, most: int) -> Sequence[Upload]:
    """Return up to `most` complete uploads with ids after one, in order."""
    query = select(Upload).where(Upload.workspace_id == workspace_id, Upload.state == UploadState.READY.value)
    return (await session.scalars(query.where(Upload.id > after).order_by(Upload.id).limit(most))).all()
