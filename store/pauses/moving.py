"""Changes of many locked posts by few statements: scheduled, moved or made drafts; workflows are told at a pace."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, TextClause, and_, exists, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import AttemptState, AttemptStep
from domain.audit import AuditEntry
from domain.moves import Move, PlannedPost
from domain.pauses import SkipReason
from domain.post import UNBEGUN, PostStatus, TargetStatus
from domain.schedule import ScheduledTime, rfc3339
from store.audit import NEW_VERSION, RecordedUpdate
from store.models import Attempt, Post, Target

POSTS_OF_A_STATEMENT = 2_000
"""A statement for as many posts ends long before the limit of a request's (`store.database.OF_REQUESTS`)."""


def batches(post_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield parts of the ids of many posts, each for one statement."""
    for begin in range(0, len(post_ids), POSTS_OF_A_STATEMENT):
        yield post_ids[begin : begin + POSTS_OF_A_STATEMENT]


async def make_drafts(
    session: AsyncSession, post_ids: Sequence[str], reason: SkipReason, entry: AuditEntry, now: datetime
) -> None:
    """Make drafts of locked posts of which nothing was sent; they keep the time that their client gave them."""
    await session.execute(_WAIT, {"ids": list(post_ids), "times": [None] * len(post_ids)})
    await _DRAFT.execute(session, {"ids": list(post_ids), "reason": reason.value, "now": now}, entry)


async def schedule_posts(
    session: AsyncSession, times: Mapping[str, datetime], entry: AuditEntry, now: datetime
) -> None:
    """Schedule locked drafts, each for its time by its id."""
    values = {"ids": list(times), "times": list(times.values())}
    await session.execute(_WAIT, values)
    await _SCHEDULE.execute(session, {**values, "now": now}, entry)


async def raise_versions(session: AsyncSession, post_ids: Sequence[str], entry: AuditEntry, now: datetime) -> None:
    """Raise the versions of locked posts, with a line in the history of each; their workflows are told at a pace."""
    await _RAISE_VERSIONS.execute(session, {"ids": list(post_ids), "now": now}, entry)


def wait_statement(column: str, *, begun: bool = True) -> TextClause:
    """Return the statement that lets targets, named by this column of theirs, wait from new times without a failure.

    `begun`: some may have begun. Otherwise no column is written on whose change a trigger is called.
    """
    status = "status = 'pending', confirming = false," if begun else ""
    # The columns of NO_FAILURE, which a test compares.
    return text(f"""
UPDATE targets SET
  warning = NULL, error = NULL, error_code = NULL, error_category = NULL, retryable = NULL, next_attempt_at = NULL,
  {status} hold_reason = NULL, released_at = NULL,
  due_at = new.due_at, begun_at = NULL, preflight_at = NULL, preflight_code = NULL
FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS new (id, due_at) WHERE targets.{column} = new.id
""")  # noqa: S608 our own column


_WAIT = wait_statement("post_id")
# One UPDATE of each row: its version is written to every index of posts.
_SCHEDULE = RecordedUpdate(f"""
UPDATE posts SET status = 'scheduled', due_at = new.due_at, skip_reason = NULL,
  {NEW_VERSION}, next_delivery_at = bulk_delivery_at_v1(new.due_at)
FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS new (id, due_at) WHERE posts.id = new.id
""")  # noqa: S608 our own columns
_DRAFT = RecordedUpdate(f"""
UPDATE posts SET status = 'draft', due_at = NULL, skip_reason = :reason,
  {NEW_VERSION}, next_delivery_at = bulk_delivery_at_v1(NULL)
WHERE id = ANY(CAST(:ids AS text[]))
""")  # noqa: S608 the same
_RAISE_VERSIONS = RecordedUpdate(f"""
UPDATE posts SET {NEW_VERSION}, next_delivery_at = bulk_delivery_at_v1(due_at) WHERE id = ANY(CAST(:ids AS text[]))
""")  # noqa: S608 the same


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
        if part := [move for move in moves if move.post.has_begun == has_begun]:
            values = move_values((move.post.id, move.post.schedule, move.to) for move in part)
            await move_posts.execute(session, {**values, "now": now}, entry)
            due = [None if move.post.is_draft else move.to.instant for move in part]
            await session.execute(wait, {"ids": values["ids"], "times": due})


def move_values(moves: Iterable[tuple[str, ScheduledTime, ScheduledTime]]) -> dict[str, list[Any]]:
    """Return the values of `move_statement`: of each post its id, and its time before and now."""
    rows = [
        (post_id, to.instant, to.wall, rfc3339(before.instant), rfc3339(to.instant)) for post_id, before, to in moves
    ]
    return {name: [row[at] for row in rows] for at, name in enumerate(("ids", "times", "walls", "befores", "afters"))}


def move_statement(columns: str) -> RecordedUpdate:
    """Return the statement that gives posts their times, and other columns."""
    # A draft has no workflow that must be told.
    return RecordedUpdate(
        f"""
UPDATE posts
SET scheduled_for = new.at, scheduled_wall = new.wall, {columns}
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
    True: (move_statement("status = 'scheduled',"), wait_statement("post_id")),
    # They keep their status. Naming its column would call a trigger for each post and target.
    False: (move_statement(""), wait_statement("post_id", begun=False)),
}
"""The statements that move posts and their targets, by whether publishing them has begun."""
