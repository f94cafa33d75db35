"""Queries for late posts: those with a target that no worker has begun to publish long after its due time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import LatePost, Target

# A literal: the planner must see that the partial index has these targets.
HAS_NOT_BEGUN = text("targets.status = 'pending' AND targets.begun_at IS NULL")

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
