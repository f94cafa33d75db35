"""Queries for posts that are not at rest, in pages that stay cheap however many posts there are."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, bindparam, exists, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ownership import undelivered_since
from domain.post import OPEN, HoldReason, PostStatus, TargetStatus
from store.models import Post, Target


@dataclass(frozen=True, slots=True)
class PostSummary:
    """A post's row without its content and targets."""

    id: str
    workspace_id: str
    workflow_id: str
    status: str
    due_at: datetime | None
    version: int
    delivered_version: int
    created_at: datetime
    updated_at: datetime
    next_delivery_at: datetime | None
    delivery_attempts: int
    is_paused: bool
    """Whether pauses hold all that is left of it, so that nothing happens to it until one ends."""

    @property
    def undelivered_since(self) -> datetime:
        """Return the time from which the newest version, if it is not delivered, counts as waiting for delivery."""
        return undelivered_since(self.updated_at, self.next_delivery_at, self.delivery_attempts)

    @property
    def is_delivered(self) -> bool:
        """Return whether its workflow is known to have the newest version."""
        return self.delivered_version >= self.version

    @property
    def is_open(self) -> bool:
        """Return whether something must still be done for the post."""
        return PostStatus(self.status).is_open


_IS_HELD = Target.hold_reason == HoldReason.PAUSED
_MOVES = Target.status.in_((TargetStatus.PENDING, TargetStatus.PUBLISHING, TargetStatus.UNCONFIRMED, TargetStatus.HELD))
_IS_PAUSED = and_(
    # By the columns of the index `targets_paused`.
    exists().where(Target.workspace_id == Post.workspace_id, Target.post_id == Post.id, _IS_HELD),
    ~exists().where(Target.post_id == Post.id, _MOVES, Target.hold_reason.is_distinct_from(HoldReason.PAUSED)),
)
_IS_RESTING = and_(
    exists().where(Target.post_id == Post.id, _MOVES),
    ~exists().where(
        Target.post_id == Post.id,
        _MOVES,
        or_(
            Target.next_attempt_at <= func.now(),
            and_(Target.next_attempt_at.is_(None), Target.status != TargetStatus.HELD),
        ),
    ),
)
"""Whether all that is left of a post is held, or waits for the time of its next try."""
_Summaries = Select[str, str, str, str, datetime | None, int, int, datetime, datetime, datetime | None, int, bool]
_COLUMNS: _Summaries = select(
    Post.id,
    Post.workspace_id,
    Post.workflow_id,
    Post.status,
    Post.due_at,
    Post.version,
    Post.delivered_version,
    Post.created_at,
    Post.updated_at,
    Post.next_delivery_at,
    Post.delivery_attempts,
    _IS_PAUSED,
)
# A literal list, because the planner must see that the partial index has all of them.
_IS_OPEN = Post.status.in_(bindparam("open", [status.value for status in OPEN], expanding=True, literal_execute=True))


async def open_due_between(
    session: AsyncSession,
    begin: datetime,
    end: datetime,
    after: PostSummary | None,
    limit: int,
    *,
    resting: bool | None = None,
) -> list[PostSummary]:
    """Return open posts due from `begin` until before `end`, soonest first, that come after `after`.

    With `resting`, only those of which all that is left is held or waits for its next try, or only the others.
    """
    query = _COLUMNS.where(_IS_OPEN, Post.due_at >= begin, Post.due_at < end)
    if resting is not None:
        query = query.where(_IS_RESTING if resting else ~_IS_RESTING)
    if after is not None:
        query = query.where(tuple_(Post.due_at, Post.id) > tuple_(after.due_at, after.id))
    return await _summaries(session, query.order_by(Post.due_at, Post.id).limit(limit))


async def open_after(session: AsyncSession, after_id: str, limit: int, workspace_id: str | None) -> list[PostSummary]:
    """Return open posts of a workspace, or of all, with ids above `after_id`, in their order."""
    query = _COLUMNS.where(_IS_OPEN, Post.id > after_id)
    if workspace_id is not None:
        query = query.where(Post.workspace_id == workspace_id)
    return await _summaries(session, query.order_by(Post.id).limit(limit))


async def posts_of_workflows(session: AsyncSession, workflow_ids: list[str]) -> dict[str, PostSummary]:
    """Return the posts of these workflows, whatever their status, by workflow id."""
    summaries = await _summaries(session, _COLUMNS.where(Post.workflow_id.in_(workflow_ids)))
    return {summary.workflow_id: summary for summary in summaries}


async def _summaries(session: AsyncSession, query: _Summaries) -> list[PostSummary]:
    return [PostSummary(*row) for row in await session.execute(query)]
