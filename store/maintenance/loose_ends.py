"""The doctor's queries other than for posts: loose ends, each found with one statement."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select, text, true
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload

from domain.attempts import ROWS_LOST, AttemptState
from domain.audit import Action
from domain.ownership import CLOCKS_DIFFER
from domain.post import PostStatus
from store.maintenance.waiting import HAS_NOT_BEGUN
from store.models import Attempt, AuditEvent, IdempotencyKey, Post, Revision, Target
from store.posts.idempotency import LIFETIME


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt whose response is still awaited, and the post that it belongs to."""

    target_id: str
    post_id: str
    workspace_id: str
    workflow_id: str
    step: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class WaitingRevision:
    """A saved edit that was neither made nor refused, with its post."""

    id: str
    post_id: str
    workspace_id: str
    workflow_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LooseKey:
    """A key that has not expired, has no response, and whose post is missing."""

    workspace_id: str
    key: str
    generation: int
    post_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class DoubleSlot:
    """An instant at which several posts of one queue are due."""

    workspace_id: str
    queue_id: str
    at: datetime
    post_ids: list[str]


def _in_workspace(workspace_id: str | None) -> ColumnElement[bool]:
    return true() if workspace_id is None else Post.workspace_id == workspace_id


async def post_and_targets(session: AsyncSession, post_id: str) -> Post | None:
    """Return a post with its targets, all at one instant."""
    query = select(Post).where(Post.id == post_id).options(joinedload(Post.targets))
    query = query.execution_options(populate_existing=True)
    return (await session.scalars(query)).unique().one_or_none()


_OPEN: Select[str, str, str, str, str, datetime] = (
    select(Target.id, Post.id, Post.workspace_id, Post.workflow_id, Attempt.step, Attempt.started_at)
    .join(Target, Target.id == Attempt.target_id)
    .join(Post, Post.id == Target.post_id)
    # If rows were lost and the post is due later, the attempt is confirmed when the post is due.
    .where(Attempt.state == AttemptState.SENDING)
    .where(or_(Attempt.code.is_distinct_from(ROWS_LOST), Post.due_at <= func.now()))
)


async def open_attempts(session: AsyncSession, before: datetime, workspace_id: str | None) -> list[OpenAttempt]:
    """Return the attempts that were begun before a time and have no response yet, oldest first."""
    query = _OPEN.where(Attempt.started_at < before, _in_workspace(workspace_id)).order_by(Attempt.id)
    return [OpenAttempt(*row) for row in await session.execute(query)]


async def post_open_attempts(session: AsyncSession, post_id: str) -> list[OpenAttempt]:
    """Return a post's attempts that have no response yet."""
    return [OpenAttempt(*row) for row in await session.execute(_OPEN.where(Post.id == post_id))]


# A literal, because the planner must see that the partial index has it.
_IS_WAITING = text("revisions.state = 'waiting'")


async def waiting_revisions(session: AsyncSession, before: datetime, workspace_id: str | None) -> list[WaitingRevision]:
    """Return the newest edit of each post, if it was saved before a time and still waits.

    An older edit that waits is no loss: its client was asked to try again, and has.
    """
    later = aliased(Revision)
    newer = select(later.id).where(later.post_id == Revision.post_id, later.id > Revision.id)
    query = (
        select(Revision.id, Post.id, Post.workspace_id, Post.workflow_id, Revision.created_at)
        .join(Post, Post.id == Revision.post_id)
        .where(_IS_WAITING, Revision.created_at < before)
        .where(~newer.exists(), _in_workspace(workspace_id))
        .order_by(Revision.id)
    )
    return [WaitingRevision(*row) for row in await session.execute(query)]


async def loose_keys(session: AsyncSession, now: datetime, workspace_id: str | None, limit: int) -> list[LooseKey]:
    """Return unexpired keys that have no response and whose post is missing."""
    there = select(Post.id).where(Post.id == IdempotencyKey.post_id).exists()
    # A restore may have lost the workflow that deleted the post.
    deletion = (AuditEvent.post_id == IdempotencyKey.post_id, AuditEvent.action == Action.DELETED.value)
    deleted = select(AuditEvent.id).where(*deletion).exists()
    query = select(
        IdempotencyKey.workspace_id,
        IdempotencyKey.key,
        IdempotencyKey.generation,
        IdempotencyKey.post_id,
        IdempotencyKey.expires_at,
    ).where(
        IdempotencyKey.expires_at > now,
        # By an index: a key that has not expired is checked when it does (store.posts.idempotency).
        IdempotencyKey.check_at.between(now, now + LIFETIME + CLOCKS_DIFFER),
        IdempotencyKey.response_body.is_(None),
        ~there,
        ~deleted,
    )
    if workspace_id is not None:
        query = query.where(IdempotencyKey.workspace_id == workspace_id)
    return [LooseKey(*row) for row in await session.execute(query.limit(limit))]


async def platforms_waiting(session: AsyncSession, due_before: datetime, workspace_id: str | None) -> list[str]:
    """Return the platforms for which targets were due before a time that no worker has started."""
    query = select(Target.platform).distinct().where(HAS_NOT_BEGUN, Target.due_at < due_before)
    if workspace_id is not None:
        query = query.where(Target.workspace_id == workspace_id)
    return sorted(await session.scalars(query))


async def double_slots(session: AsyncSession, workspace_id: str | None, limit: int) -> list[DoubleSlot]:
    """Return slots that several waiting posts have: no wall time is given twice, but two may become one instant."""
    query = (
        select(
            Post.workspace_id, Post.queue_id, Post.scheduled_for, func.array_agg(aggregate_order_by(Post.id, Post.id))
        )
        .where(Post.queue_id.is_not(None), Post.status == PostStatus.SCHEDULED, _in_workspace(workspace_id))
        .group_by(Post.workspace_id, Post.queue_id, Post.scheduled_for)
        .having(func.count() > 1)
        .limit(limit)
    )
    rows = await session.execute(query)
    return [DoubleSlot(workspace, queue, at, list(posts)) for workspace, queue, at, posts in rows if queue and at]
