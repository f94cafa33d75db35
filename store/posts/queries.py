"""Queries for posts, for the API."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from domain.post import PostStatus, TargetState, TargetStatus
from domain.post import is_moving as is_moving_by
from store.database import Database
from store.models import Post, Target


async def find_by_external_id(session: AsyncSession, workspace_id: str, external_id: str) -> Post | None:
    """Return the post of the workspace that has this external id, with its targets."""
    query = select(Post).where(Post.workspace_id == workspace_id, Post.external_id == external_id)
    return (await session.scalars(query.options(joinedload(Post.targets)))).unique().one_or_none()


async def find_post(session: AsyncSession, workspace_id: str, post_id: str, *, lock: bool = False) -> Post | None:
    """Return a post of the workspace with its targets; `lock` holds it until the transaction ends."""
    query = select(Post).where(Post.id == post_id, Post.workspace_id == workspace_id)
    if lock:
        return await session.scalar(query.options(selectinload(Post.targets)).with_for_update(of=Post))
    # One statement: the post's status and its targets are of the same instant.
    return (await session.scalars(query.options(joinedload(Post.targets)))).unique().one_or_none()


async def is_moving(session: AsyncSession, post_id: str) -> bool:
    """Return whether a step for a post is running or about to run; False if the post is deleted."""
    query = select(Post.status, Target.status, Target.confirming).join(Target, Target.post_id == Post.id)
    rows = list(await session.execute(query.where(Post.id == post_id)))
    states = [TargetState(TargetStatus(status), confirming) for _, status, confirming in rows]
    return bool(rows) and is_moving_by(PostStatus(rows[0][0]), states)


_COUNT_OPEN = """
SELECT count(*) FROM (
  SELECT FROM posts WHERE workspace_id = $1 AND status IN ('draft', 'scheduled', 'publishing') LIMIT $2
) AS open
"""


_COUNT_KEPT = "SELECT count(*) AS posts, coalesce(sum(answer_bytes), 0) AS bytes FROM posts WHERE workspace_id = $1"


async def count_kept(database: Database, workspace_id: str) -> tuple[int, int]:
    """Return how many posts a workspace has, and their size in bytes by `Post.answer_bytes`."""
    row = await database.row(_COUNT_KEPT, workspace_id)
    return (int(row["posts"]), int(row["bytes"])) if row else (0, 0)


async def count_open(database: Database, workspace_id: str, most: int) -> int:
    """Return how many posts of a workspace are not settled, drafts included; it counts no further than `most`."""
    row = await database.row(_COUNT_OPEN, workspace_id, most)
    return int(row["count"]) if row else 0


async def find_posts(session: AsyncSession, post_ids: Collection[str]) -> dict[str, Post]:
    """Return posts of all workspaces by their ids, with their targets."""
    posts = await session.scalars(select(Post).where(Post.id.in_(post_ids)).options(selectinload(Post.targets)))
    return {post.id: post for post in posts}


async def find_workflow(session: AsyncSession, post_id: str) -> tuple[str, str] | None:
    """Return the workspace and the workflow id of a post; None if there is no such post."""
    query = select(Post.workspace_id, Post.workflow_id).where(Post.id == post_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row.workspace_id, row.workflow_id)
