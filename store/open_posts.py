"""Find posts that are not at rest, in pages that stay cheap however many there are."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.post import OPEN, PostStatus
from store.models import Post


@dataclass(frozen=True, slots=True)
class PostLine:
    """Be what a post's row says of its life, without its content."""

    id: str
    workspace_id: str
    workflow_id: str
    status: str
    due_at: datetime | None
    version: int
    taken_up: int
    created_at: datetime
    updated_at: datetime

    @property
    def told(self) -> bool:
        """Tell whether its workflow is known to know what is wanted."""
        return self.taken_up >= self.version

    @property
    def open(self) -> bool:
        """Tell whether something is still to be done for it."""
        return PostStatus(self.status).is_open


_Lines = Select[str, str, str, str, datetime | None, int, int, datetime, datetime]
_COLUMNS: _Lines = select(
    Post.id,
    Post.workspace_id,
    Post.workflow_id,
    Post.status,
    Post.due_at,
    Post.version,
    Post.taken_up,
    Post.created_at,
    Post.updated_at,
)
# Written out: the planner must see that the partial index has all of them.
_IS_OPEN = Post.status.in_(bindparam("open", [status.value for status in OPEN], expanding=True, literal_execute=True))


async def open_due_between(
    session: AsyncSession,
    begin: datetime,
    end: datetime,
    after: PostLine | None,
    limit: int,
) -> list[PostLine]:
    """Return open posts due from `begin` until before `end`, soonest first, that come after the line `after`."""
    query = _COLUMNS.where(_IS_OPEN, Post.due_at >= begin, Post.due_at < end)
    if after is not None:
        query = query.where(tuple_(Post.due_at, Post.id) > tuple_(after.due_at, after.id))
    return await _lines(session, query.order_by(Post.due_at, Post.id).limit(limit))


async def open_after(session: AsyncSession, after_id: str, limit: int, workspace_id: str | None) -> list[PostLine]:
    """Return open posts (of a workspace, of all) with ids above `after_id`, in their order."""
    query = _COLUMNS.where(_IS_OPEN, Post.id > after_id)
    if workspace_id is not None:
        query = query.where(Post.workspace_id == workspace_id)
    return await _lines(session, query.order_by(Post.id).limit(limit))


async def lines_of_workflows(session: AsyncSession, workflow_ids: list[str]) -> dict[str, PostLine]:
    """Return the posts of these workflows, whatever their status, by workflow id."""
    lines = await _lines(session, _COLUMNS.where(Post.workflow_id.in_(workflow_ids)))
    return {line.workflow_id: line for line in lines}


async def _lines(session: AsyncSession, query: _Lines) -> list[PostLine]:
    return [PostLine(*row) for row in await session.execute(query)]
