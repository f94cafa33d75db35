"""Due targets that no worker has begun, or that wait for an account, a platform or a person, and their release."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, case, delete, func, or_, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from domain.audit import WORKER, Action, AuditEntry
from domain.plan import WaitsFor, waits_for
from domain.post import HoldReason, TargetStatus
from store.apps import app_is_accepted
from store.audit import add_unless_recorded
from store.due import Due
from store.models import Account, LatePost, Post, Target

# A literal: the planner must see that the partial index has these targets.
HAS_NOT_BEGUN = text("targets.status = 'pending' AND targets.begun_at IS NULL")
NOT_BEGUN = Due("targets", f"{HAS_NOT_BEGUN} AND targets.due_at < :now")
LATE_POSTS = Due("late_posts", "ended_at IS NULL")

_NOTE = text("""
WITH late AS (
  SELECT targets.post_id, targets.due_at, array_agg(DISTINCT targets.platform) AS platforms
  FROM targets
  WHERE targets.status = 'pending' AND targets.begun_at IS NULL AND targets.due_at < :due_before
    AND NOT EXISTS (SELECT FROM late_posts AS noted
                    WHERE noted.post_id = targets.post_id AND noted.due_at = targets.due_at)
  GROUP BY targets.post_id, targets.due_at
  ORDER BY targets.due_at, targets.post_id
  LIMIT :most
), noted AS (
  INSERT INTO late_posts (post_id, due_at, found_at) SELECT post_id, due_at, :now FROM late
  ON CONFLICT DO NOTHING RETURNING post_id, due_at
)
SELECT posts.id, posts.workspace_id, posts.workflow_id, late.due_at, late.platforms
FROM noted JOIN late USING (post_id, due_at) JOIN posts ON posts.id = noted.post_id
ORDER BY late.due_at, posts.id
""")

_END = text("""
UPDATE late_posts SET ended_at = :now
FROM (
  SELECT posts.id, posts.workspace_id, posts.workflow_id, posts.status, late.due_at,
         max(targets.begun_at) FILTER (WHERE targets.begun_at >= late.due_at) AS begun_at
  FROM late_posts AS late
  JOIN posts ON posts.id = late.post_id
  JOIN targets ON targets.post_id = posts.id
  WHERE late.ended_at IS NULL
  GROUP BY posts.id, late.due_at
  HAVING NOT bool_or(targets.status = 'pending' AND targets.begun_at IS NULL
                     AND coalesce(targets.due_at = late.due_at, false))
  LIMIT :most
) AS over
WHERE late_posts.post_id = over.id AND late_posts.due_at = over.due_at AND late_posts.ended_at IS NULL
RETURNING over.id, over.workspace_id, over.workflow_id, over.due_at, over.begun_at, over.status
""")


ENDED_KEPT = timedelta(days=90)
"""How long the record of a late post is kept."""


async def delete_old_lateness(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete up to `most` old records of late posts; returns how many there were."""
    key = tuple_(LatePost.post_id, LatePost.due_at)
    due = select(LatePost.post_id, LatePost.due_at).where(LatePost.ended_at <= now - ENDED_KEPT).limit(most)
    old = [tuple(row) for row in await session.execute(due)]
    await session.execute(delete(LatePost).where(key.in_(old)))
    return len(old)


@dataclass(frozen=True, slots=True)
class LatePostFound:
    """A post that was found late, and the platforms that it waits for."""

    post_id: str
    workspace_id: str
    workflow_id: str
    due_at: datetime
    platforms: list[str]


@dataclass(frozen=True, slots=True)
class LatePostEnded:
    """A post that is no longer late: its last target has begun, was given up, or has another due time."""

    post_id: str
    workspace_id: str
    workflow_id: str
    due_at: datetime
    begun_at: datetime | None
    """None if no target has begun."""
    status: str


async def note_late(session: AsyncSession, due_before: datetime, now: datetime, most: int) -> list[LatePostFound]:
    """Save and return posts that have become late, each once over all processes.

    They have a target that was due before a time and has not begun.
    """
    rows = await session.execute(_NOTE, {"due_before": due_before, "now": now, "most": most})
    return [LatePostFound(*row) for row in rows]


async def end_late(session: AsyncSession, now: datetime, most: int) -> list[LatePostEnded]:
    """Save and return the posts that are no longer late: each post once, over all processes."""
    over = await session.execute(_END, {"now": now, "most": most})
    return [LatePostEnded(*row) for row in over]


async def count_late(session: AsyncSession, due_before: datetime, workspace_id: str | None = None) -> int:
    """Return how many posts have a target that was due before a time and has not begun, in one or all workspaces."""
    query = select(func.count(Target.post_id.distinct())).where(HAS_NOT_BEGUN, Target.due_at < due_before)
    if workspace_id is not None:
        query = query.where(Target.workspace_id == workspace_id)
    return await session.scalar(query) or 0


HELD_FOR_OTHERS = Due(
    "targets",
    f"targets.status = 'held' AND targets.hold_reason IN ('{HoldReason.RECONNECT}', '{HoldReason.OPERATOR}')",
)


async def claim_released_posts(
    session: AsyncSession, now: datetime, *, released_before: datetime, limit: int
) -> list[Post]:
    """Mark up to `limit` targets that need not be held any more as released; return their posts, with all targets.

    Targets that were released after `released_before` are left out, so each worker finds others.
    """
    works = and_(
        Account.workspace_id == Target.workspace_id,
        Account.id == Target.account_id,
        Account.platform == Target.platform,
        or_(
            and_(Target.hold_reason == HoldReason.RECONNECT, Account.refused_at.is_(None)),
            and_(Target.hold_reason == HoldReason.OPERATOR, app_is_accepted()),
        ),
    )
    held = (
        select(Target.id)
        .where(
            # Targets that wait for the end of a pause are many, and are not looked up one by one.
            text(HELD_FOR_OTHERS.sql()),
            or_(Target.released_at.is_(None), Target.released_at < released_before),
            select(Account.id).where(works).exists(),
        )
        .order_by(Target.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    release = (
        update(Target).where(Target.id.in_(held.scalar_subquery())).values(released_at=now).returning(Target.post_id)
    )
    ids = set(await session.scalars(release, execution_options={"synchronize_session": False}))
    query = select(Post).where(Post.id.in_(ids)).order_by(Post.due_at, Post.id).options(selectinload(Post.targets))
    posts = list(await session.scalars(query))
    for post in posts:
        await add_unless_recorded(session, post, AuditEntry(Action.RELEASED, WORKER))
    return posts


DUE_TARGETS = Due(
    "targets",
    "(targets.status IN ('held', 'unconfirmed')"
    " OR (targets.status = 'publishing' AND targets.next_attempt_at IS NOT NULL))",
)
IS_WAITING = text(DUE_TARGETS.sql())


@dataclass(frozen=True, slots=True)
class WaitingCount:
    """The number of targets of one platform that wait for the same thing."""

    count: int
    since: datetime
    """When the first of them began, or should have begun."""
    codes: frozenset[str] = frozenset()
    """The error codes of those that are tried again."""


def target_waits_for(target: Target) -> WaitsFor | None:
    """Return what a target waits for, as its row says it."""
    return waits_for(
        TargetStatus(target.status),
        confirming=target.confirming,
        hold_reason=target.hold_reason,
        error_code=target.error_code,
        next_attempt_at=target.next_attempt_at,
    )


async def count_waiting(
    session: AsyncSession, workspace_id: str | None = None
) -> dict[tuple[str, WaitsFor], WaitingCount]:
    """Count the targets that are due and wait for something other than a worker, by platform and reason.

    Without a workspace, the targets of all workspaces are counted.
    """
    code = case((Target.status == TargetStatus.PUBLISHING, Target.error_code))
    query = (
        select(
            Target.platform,
            Target.status,
            Target.confirming,
            Target.hold_reason,
            code,
            func.count(),
            func.min(func.coalesce(Target.begun_at, Target.due_at, Post.created_at)),
            func.max(Target.next_attempt_at),
        )
        .join(Post, Post.id == Target.post_id)
        .where(IS_WAITING)
        .group_by(Target.platform, Target.status, Target.confirming, Target.hold_reason, code)
    )
    if workspace_id is not None:
        query = query.where(Target.workspace_id == workspace_id)
    counts: dict[tuple[str, WaitsFor], WaitingCount] = {}
    for platform, status, confirming, reason, error_code, count, since, next_attempt_at in await session.execute(query):
        waiting = waits_for(
            TargetStatus(status),
            confirming=confirming,
            hold_reason=reason,
            error_code=error_code,
            next_attempt_at=next_attempt_at,
        )
        if waiting:
            others = counts.get((platform, waiting), WaitingCount(0, since))
            codes = others.codes | ({error_code} if error_code else set())
            counts[platform, waiting] = WaitingCount(others.count + count, min(others.since, since), codes)
    return counts
