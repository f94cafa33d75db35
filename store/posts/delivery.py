"""The delivery of posts' versions to their workflows: which workflows are known to have the newest one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from domain.ids import next_workflow_id
from domain.post import OPEN
from store.models import IdempotencyKey, Post
from store.posts.changes import lock_post

_RECORD_DELIVERED = text("""
UPDATE posts SET delivered_version = delivered.version, next_delivery_at = NULL, delivery_attempts = 0
FROM unnest(CAST(:ids AS text[]), CAST(:versions AS int[])) AS delivered (id, version)
WHERE posts.id = delivered.id AND posts.delivered_version < delivered.version AND delivered.version <= posts.version
""")

_CLAIM = text("""
UPDATE posts
SET delivery_attempts = delivery_attempts + 1,
    next_delivery_at = CAST(:now AS timestamptz)
      + least(CAST(:first AS interval) * power(2, least(delivery_attempts, 20)), CAST(:longest AS interval))
WHERE id IN (
  SELECT id FROM posts
  WHERE delivered_version < version AND (status IN ('scheduled', 'publishing') OR next_delivery_at IS NOT NULL)
    AND updated_at < :changed_before AND (next_delivery_at IS NULL OR next_delivery_at <= :now)
  ORDER BY (status IN ('scheduled', 'publishing')) DESC, due_at, id
  LIMIT :most
  FOR UPDATE SKIP LOCKED
)
RETURNING id
""")

# A literal: the planner must see that the partial index has these posts.
_UNDELIVERED = text("posts.delivered_version < posts.version AND posts.status IN ('scheduled', 'publishing')")

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=1)
"""The pause after the first failed delivery of a post, and the longest pause."""


async def record_delivered(session: AsyncSession, versions: Mapping[str, int]) -> None:
    """Save which version of each post its workflow is known to have."""
    ids = sorted(versions)
    await session.execute(_RECORD_DELIVERED, {"ids": ids, "versions": [versions[post_id] for post_id in ids]})


async def claim_undelivered(session: AsyncSession, now: datetime, changed_before: datetime, most: int) -> list[Post]:
    """Return posts whose workflows are not known to have the newest version, with their targets.

    Open posts come first, the soonest due before the others. A settled post is among them only if its change asked for
    delivery (`next_delivery_at`). No other worker gets them for a while: the longer, the more deliveries have failed.
    """
    values = {
        "now": now,
        "changed_before": changed_before,
        "most": most,
        "first": FIRST_PAUSE,
        "longest": LONGEST_PAUSE,
    }
    ids = list(await session.scalars(_CLAIM, values))
    soonest_first = Post.status.in_(OPEN).desc(), Post.due_at, Post.id
    query = select(Post).where(Post.id.in_(ids)).order_by(*soonest_first).options(selectinload(Post.targets))
    return list(await session.scalars(query))


async def release_undelivered(session: AsyncSession, post_ids: Sequence[str]) -> None:
    """Allow delivery without a pause: Temporal was unavailable, and the posts did not cause the failure."""
    # Not null: a settled post without a time is not delivered.
    await session.execute(update(Post).where(Post.id.in_(post_ids)).values(next_delivery_at=func.now()))


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


async def move_to_next_workflow(session: AsyncSession, post_id: str, taken: str) -> Post | None:
    """Set a post's workflow id to the next, because another post's run has the present one; None if it is deleted.

    This happens if the rows of that other post are lost: its key was free, so this post got the same id.
    """
    post = await lock_post(session, post_id)
    if post is None or post.workflow_id != taken:
        return post
    candidate, generation = next_workflow_id(taken)
    while await session.scalar(select(Post.id).where(Post.workflow_id == candidate)):
        candidate, generation = next_workflow_id(candidate)
    post.workflow_id = candidate
    # The next use of the key must count from here.
    await session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.workspace_id == post.workspace_id, IdempotencyKey.post_id == post_id)
        .where(IdempotencyKey.generation < generation)
        .values(generation=generation)
        .execution_options(synchronize_session=False)
    )
    return post
