"""Changes of many locked posts by few statements, whose workflows are told at a pace."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import TextClause

from domain.audit import AuditEntry
from domain.pauses import SkipReason
from store.audit.many import NEW_VERSION, RecordedUpdate

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
