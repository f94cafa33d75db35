"""Queries for posts by their ids here, at their client and on platforms, and their edits."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from domain.attempts import RevisionState
from domain.audit import Action, Actor, AuditEntry
from domain.content import EditedText
from domain.ids import new_id
from domain.post import PostStatus, TargetState, TargetStatus
from domain.post import is_moving as is_moving_by
from store.audit import trail_event
from store.database import Database
from store.models import Post, Revision, Target

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


async def add_revision(
    session: AsyncSession, post: Post, edit: EditedText, actor: Actor, now: datetime, revision_id: str | None = None
) -> str:
    """Save an edit that waits for the post's workflow, under the given id or a new one; returns its id."""
    revision = Revision(
        id=revision_id or new_id("rev"),
        post_id=post.id,
        body=edit.model_dump(mode="json"),
        state=RevisionState.WAITING,
        created_at=now,
    )
    session.add(revision)
    edited = [target for target in post.targets if target.id in edit.target_ids]
    named = tuple((target.platform, target.account_id) for target in edited)
    session.add(trail_event(post, AuditEntry(Action.EDITED, actor, targets=named)))
    await session.flush()
    return revision.id


async def find_by_external_id(session: AsyncSession, workspace_id: str, external_id: str) -> Post | None:
    """Return the post of the workspace that has this external id, with its targets."""
    query = select(Post).where(Post.workspace_id == workspace_id, Post.external_id == external_id)
    return (await session.scalars(query.options(joinedload(Post.targets)))).unique().one_or_none()


async def find_post(session: AsyncSession, workspace_id: str, post_id: str, *, lock: bool = False) -> Post | None:
    """Return a post of the workspace with its targets; `lock` holds it until the transaction ends."""
    query = select(Post).where(Post.id == post_id, Post.workspace_id == workspace_id)
    if lock:
        posts = await read_posts(session, Post.id == post_id, Post.workspace_id == workspace_id, lock=True)
        return posts.get(post_id)
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
    return await read_posts(session, Post.id.in_(post_ids))


async def read_posts(
    session: AsyncSession, *conditions: ColumnElement[bool], lock: bool = False, skip_locked: bool = False
) -> dict[str, Post]:
    """Return the posts that meet the conditions, with their targets, in the order of their ids and by them.

    `lock` holds their rows until the transaction ends; `skip_locked` leaves out those that another one has locked.
    """
    query = select(Post).where(*conditions).order_by(Post.id).options(selectinload(Post.targets))
    query = query.with_for_update(of=Post, skip_locked=skip_locked) if lock else query
    posts = await session.scalars(query, execution_options={"populate_existing": True})
    return {post.id: post for post in posts}


async def find_workflow(session: AsyncSession, post_id: str) -> tuple[str, str] | None:
    """Return the workspace and the workflow id of a post; None if there is no such post."""
    query = select(Post.workspace_id, Post.workflow_id).where(Post.id == post_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row.workspace_id, row.workflow_id)
