"""Posts that move to another time together: locked, read and written by a few statements for all of them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, TextClause, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import AttemptState, AttemptStep
from domain.audit import AuditEntry
from domain.moves import Move, PlannedPost
from domain.post import UNBEGUN, PostStatus, TargetStatus
from domain.schedule import ScheduledTime, rfc3339
from store.audit.many import NEW_VERSION, RecordedUpdate
from store.models import Attempt, Post, Target
from store.pauses.many import wait_statement

_IS_HELD = exists().where(Target.post_id == Post.id, Target.status == TargetStatus.HELD)
_HAS_BEGUN = exists().where(Target.post_id == Post.id, Target.status.not_in((TargetStatus.HELD, TargetStatus.PENDING)))
_IS_SENDING = (
    exists()
    .where(Attempt.target_id == Target.id, Target.post_id == Post.id)
    .where(Attempt.step == AttemptStep.PUBLISH, Attempt.state == AttemptState.SENDING)
)
MAY_MOVE = or_(Post.status.in_(UNBEGUN), and_(_IS_HELD, ~_HAS_BEGUN, ~_IS_SENDING))
"""The condition that nothing of a post was sent, as domain.ownership.may_change has it."""
HAS_TIME = and_(Post.scheduled_for.is_not(None), Post.series_id.is_(None))
"""The condition that a post moves with others: it has a time of its own, and not from the rule of a series."""


async def read_planned(session: AsyncSession, *conditions: ColumnElement[bool]) -> list[PlannedPost]:
    """Return the posts that meet the conditions and may move with others, the first due first."""
    query = (
        select(Post.id, Post.status, Post.scheduled_for, Post.scheduled_wall, Post.timezone, Post.due_at)
        .where(*conditions, HAS_TIME, MAY_MOVE)
        .order_by(Post.scheduled_for, Post.id)
    )
    posts = []
    for post_id, status, scheduled_for, wall, zone, due_at in await session.execute(query):
        instant = due_at or scheduled_for
        if instant is None:
            continue
        # The end of a pause may have given it another time than its client did.
        schedule = ScheduledTime(instant, wall if instant == scheduled_for else None, zone)
        is_draft, has_begun = status == PostStatus.DRAFT, status not in UNBEGUN
        posts.append(PlannedPost(post_id, schedule, is_draft=is_draft, has_begun=has_begun))
    return posts


async def write_moves(session: AsyncSession, moves: Sequence[Move], entry: AuditEntry, now: datetime) -> None:
    """Give locked posts their new times: each is scheduled again as a whole, drafts stay drafts."""
    for has_begun, (move_posts, wait) in _STATEMENTS.items():
        part = [move for move in moves if move.post.has_begun == has_begun]
        if part:
            await _write(session, part, move_posts, wait, entry, now)


async def _write(
    session: AsyncSession,
    moves: Sequence[Move],
    move_posts: RecordedUpdate,
    wait: TextClause,
    entry: AuditEntry,
    now: datetime,
) -> None:
    ids = [move.post.id for move in moves]
    values = {
        "ids": ids,
        "times": [move.to.instant for move in moves],
        "walls": [move.to.wall for move in moves],
        "befores": [rfc3339(move.post.schedule.instant) for move in moves],
        "afters": [rfc3339(move.to.instant) for move in moves],
        "now": now,
    }
    await move_posts.execute(session, values, entry)
    due = [None if move.post.is_draft else move.to.instant for move in moves]
    await session.execute(wait, {"ids": ids, "times": due})


def _move_statement(status: str) -> RecordedUpdate:
    # A draft has no workflow that must be told.
    return RecordedUpdate(
        f"""
UPDATE posts
SET scheduled_for = new.at, scheduled_wall = new.wall, {status}
    due_at = CASE WHEN status <> 'draft' THEN new.at END,
    {NEW_VERSION}, next_delivery_at = CASE WHEN status <> 'draft' THEN bulk_delivery_at_v1(new.at) END
FROM unnest(
  CAST(:ids AS text[]), CAST(:times AS timestamptz[]), CAST(:walls AS text[]),
  CAST(:befores AS text[]), CAST(:afters AS text[])
) AS new (id, at, wall, before, after)
WHERE posts.id = new.id
""",  # noqa: S608 our own columns
        changed_field="scheduledFor",
    )


_STATEMENTS = {
    True: (_move_statement("status = 'scheduled',"), wait_statement("post_id")),
    # They keep their status. Naming its column would call a trigger for each post and target.
    False: (_move_statement(""), wait_statement("post_id", begun=False)),
}
"""The statements that move posts and their targets, by whether publishing them has begun."""
