"""Queries for posts that wait without an error: posts that are due and not begun, and rows without a workflow.

A target waits as long as it is pending and no worker has begun to publish it (`Target.begun_at`). A post is late if one
of its targets has waited longer than allowed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.post import TargetStatus
from domain.waits import WaitsFor, waits_for
from store.models import STUCK, LatePost, Post, Target

# Literals: the planner must see that the partial indexes have them.
WAITS = text("targets.status = 'pending' AND targets.begun_at IS NULL")
STUCK_TARGETS = text("(" + STUCK.replace("status", "targets.status").replace("next_", "targets.next_") + ")")
_UNDELIVERED = text("posts.delivered_version < posts.version AND posts.status IN ('scheduled', 'publishing')")

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
    """Save and return posts with a waiting target that was due before a time: each post once, over all processes."""
    found = await session.execute(_NOTE, {"due_before": due_before, "now": now, "most": most})
    return [LatePostFound(*row) for row in found]


async def end_late(session: AsyncSession, now: datetime, most: int) -> list[LatePostEnded]:
    """Save and return the posts that are no longer late: each post once, over all processes."""
    over = await session.execute(_END, {"now": now, "most": most})
    return [LatePostEnded(*row) for row in over]


async def count_late(session: AsyncSession, due_before: datetime, workspace_id: str | None = None) -> int:
    """Return how many posts have a waiting target that was due before a time; without a workspace, in all of them."""
    query = select(func.count(Target.post_id.distinct())).where(WAITS, Target.due_at < due_before)
    if workspace_id is not None:
        query = query.where(Target.workspace_id == workspace_id)
    return await session.scalar(query) or 0


@dataclass(frozen=True, slots=True)
class Stuck:
    """The targets of one platform that wait for the same thing."""

    count: int
    since: datetime
    """When the first of them began, or should have begun."""
    codes: frozenset[str] = frozenset()
    """The error codes of those that are tried again."""


def waits_of(target: Target) -> WaitsFor | None:
    """Return what a target waits for, as its row says it."""
    return waits_for(
        TargetStatus(target.status),
        confirming=target.confirming,
        hold_reason=target.hold_reason,
        error_code=target.error_code,
        next_attempt_at=target.next_attempt_at,
    )


async def stuck_targets(session: AsyncSession, workspace_id: str | None = None) -> dict[tuple[str, WaitsFor], Stuck]:
    """Return the targets that wait for something other than their due time and a worker, by platform and reason.

    `workspace` is an id; without one, the targets of all workspaces are counted.
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
        .where(STUCK_TARGETS)
        .group_by(Target.platform, Target.status, Target.confirming, Target.hold_reason, code)
    )
    if workspace_id is not None:
        query = query.where(Target.workspace_id == workspace_id)
    found: dict[tuple[str, WaitsFor], Stuck] = {}
    for platform, status, confirming, reason, error_code, count, since, next_attempt_at in await session.execute(query):
        waiting = waits_for(
            TargetStatus(status),
            confirming=confirming,
            hold_reason=reason,
            error_code=error_code,
            next_attempt_at=next_attempt_at,
        )
        if waiting:
            others = found.get((platform, waiting), Stuck(0, since))
            codes = others.codes | ({error_code} if error_code else set())
            found[platform, waiting] = Stuck(others.count + count, min(others.since, since), codes)
    return found


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The number of posts whose workflows are not known to have the newest version."""

    all: int
    untried: int
    """The posts that the sweep has not even tried to deliver: it does not run."""


async def count_undelivered(session: AsyncSession, changed_before: datetime) -> Undelivered:
    """Count the posts that were changed before a time and whose newest version is not known to be delivered."""
    query = select(func.count(Post.id), func.count(Post.id).filter(Post.delivery_attempts == 0))
    return Undelivered(*(await session.execute(query.where(_UNDELIVERED, Post.updated_at < changed_before))).one())
