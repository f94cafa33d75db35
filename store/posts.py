"""Posts as the api reads and writes them: insert, look up, list."""

from sqlalchemy import and_, exists, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from domain.post import OPEN, TargetStatus
from store.database import Database
from store.models import EXTERNAL_ID, Post, Target

_POST_COLUMNS = [column.key for column in Post.__mapper__.column_attrs]
_TARGET_COLUMNS = [column.key for column in Target.__mapper__.column_attrs]


class ExternalIdTakenError(Exception):
    """Another post of the workspace has the external id of a post that was to be inserted."""


async def insert_post(session: AsyncSession, post: Post) -> None:
    """Insert a post and its targets by two statements; cheaper than the unit of work, and creates are many.

    Raises ExternalIdTakenError.
    """
    try:
        await session.execute(insert(Post), {name: getattr(post, name) for name in _POST_COLUMNS})
    except IntegrityError as error:
        if EXTERNAL_ID in str(error.orig):
            raise ExternalIdTakenError from error
        raise
    if post.targets:
        rows = [{name: getattr(target, name) for name in _TARGET_COLUMNS} for target in post.targets]
        await session.execute(insert(Target), rows)


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
    """Tell whether something is being done for a post; it is not for one that is deleted."""
    # Held targets wait for hours: no request waits with them.
    busy = or_(Target.status.in_([TargetStatus.PENDING, TargetStatus.PUBLISHING]), Target.looking)
    begun = Post.status.in_(OPEN)
    moving = and_(begun, exists().where(Target.post_id == Post.id, busy))
    return bool(await session.scalar(select(moving).where(Post.id == post_id)))


_COUNT_OPEN = """
SELECT count(*) FROM (
  SELECT FROM posts WHERE workspace_id = $1 AND status IN ('draft', 'scheduled', 'publishing') LIMIT $2
) AS open
"""


_COUNT_KEPT = "SELECT count(*) AS posts, coalesce(sum(answer_bytes), 0) AS bytes FROM posts WHERE workspace_id = $1"


async def count_kept(database: Database, workspace_id: str) -> tuple[int, int]:
    """Return how many posts a workspace has, and how many bytes these are by `Post.answer_bytes`."""
    row = await database.row(_COUNT_KEPT, workspace_id)
    return (int(row["posts"]), int(row["bytes"])) if row else (0, 0)


async def count_open(database: Database, workspace_id: str, most: int) -> int:
    """Return how many posts of a workspace are not settled yet, drafts included; it counts no further than `most`."""
    row = await database.row(_COUNT_OPEN, workspace_id, most)
    return int(row["count"]) if row else 0
