"""Posts as the api reads and writes them: insert, look up, list, and the drafts that no workflow owns yet."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import and_, delete, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from domain.content import Amendment
from domain.post import PostStatus, TargetStatus
from store.contents import rewrite
from store.models import Post, Revision, Target

STALE = "stale"
"""The error code of a refused revision whose post somebody else has changed meanwhile."""

_POST_COLUMNS = [column.key for column in Post.__mapper__.column_attrs]
_TARGET_COLUMNS = [column.key for column in Target.__mapper__.column_attrs]


async def insert_post(session: AsyncSession, post: Post) -> None:
    """Insert a post and its targets by two statements; cheaper than the unit of work, and creates are many."""
    await session.execute(insert(Post), {name: getattr(post, name) for name in _POST_COLUMNS})
    if post.targets:
        rows = [{name: getattr(target, name) for name in _TARGET_COLUMNS} for target in post.targets]
        await session.execute(insert(Target), rows)


async def find_post(session: AsyncSession, workspace_id: str, post_id: str, *, lock: bool = False) -> Post | None:
    """Return a post of the workspace with its targets; `lock` holds it until the transaction ends."""
    query = select(Post).where(Post.id == post_id, Post.workspace_id == workspace_id)
    if lock:
        return await session.scalar(query.options(selectinload(Post.targets)).with_for_update(of=Post))
    # One statement: the post's status and its targets are of the same instant.
    return (await session.scalars(query.options(joinedload(Post.targets)))).unique().one_or_none()


async def progress_of(session: AsyncSession, post_id: str) -> tuple[bool, datetime] | None:
    """Tell whether something is being done for a post, and when it last changed; None where it is gone."""
    # Held targets wait for hours: nobody waits with them.
    busy = or_(Target.status.in_([TargetStatus.PENDING, TargetStatus.PUBLISHING]), Target.looking)
    begun = Post.status.in_([PostStatus.SCHEDULED, PostStatus.PUBLISHING])
    moving = and_(begun, exists().where(Target.post_id == Post.id, busy))
    query = select(moving.label("moving"), Post.updated_at).where(Post.id == post_id)
    row = (await session.execute(query)).one_or_none()
    return (row.moving, row.updated_at) if row else None


async def delete_draft(session: AsyncSession, post: Post) -> None:
    """Delete a locked draft; it has no workflow that would have to agree."""
    await session.execute(delete(Post).where(Post.id == post.id, Post.status == PostStatus.DRAFT))


async def apply_amendment(session: AsyncSession, revision_id: str) -> Post | None:
    """Rewrite a post as its amendment says and return it with its targets; applying it again changes nothing.

    An amendment of a post that has been changed since is refused. Only the post's workflow may call this. Returns None
    where the post is gone.
    """
    post_id = await session.scalar(select(Revision.post_id).where(Revision.id == revision_id))
    post = await session.scalar(
        select(Post).where(Post.id == post_id).options(selectinload(Post.targets)).with_for_update(of=Post)
    )
    # Read under the post's lock: a second application waits above and then finds nothing left to do.
    revision = await session.get(Revision, revision_id)
    if post is None or revision is None:
        return None
    if revision.state == "waiting":
        amendment = Amendment.model_validate(revision.body)
        if amendment.based_on in {None, post.updated_at}:
            rewrite(post, amendment.content, status=amendment.status, due_at=amendment.due_at, now=datetime.now(UTC))
            revision.state = "applied"
        else:
            revision.state, revision.error_code = "refused", STALE
        await session.flush()
    return post


async def mark_dispatched(session: AsyncSession, post_ids: list[str], now: datetime) -> None:
    """Note that the workflows of these posts were started, so that the sweep leaves them alone."""
    await session.execute(
        update(Post)
        .where(Post.id.in_(sorted(post_ids)), Post.dispatched_at.is_(None))
        .values(dispatched_at=now)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """Narrow a list. Times are inclusive bounds of createdAt; `before_id` is where the last page ended."""

    status: PostStatus | None = None
    platform: str | None = None
    account_id: str | None = None
    tag: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    before_id: str | None = None


async def list_posts(session: AsyncSession, workspace_id: str, wanted: Filter, limit: int) -> list[Post]:
    """Return up to `limit` posts with their targets, newest first."""
    query = select(Post).where(Post.workspace_id == workspace_id).options(selectinload(Post.targets))
    if wanted.status:
        query = query.where(Post.status == wanted.status.value)
    if wanted.platform or wanted.account_id:
        target = exists().where(Target.post_id == Post.id)
        if wanted.platform:
            target = target.where(Target.platform == wanted.platform)
        if wanted.account_id:
            target = target.where(Target.account_id == wanted.account_id)
        query = query.where(target)
    if wanted.tag:
        query = query.where(Post.tags.contains([wanted.tag]))
    if wanted.created_from:
        query = query.where(Post.created_at >= wanted.created_from)
    if wanted.created_to:
        query = query.where(Post.created_at <= wanted.created_to)
    if wanted.before_id:
        query = query.where(Post.id < wanted.before_id)
    return list(await session.scalars(query.order_by(Post.id.desc()).limit(limit)))
