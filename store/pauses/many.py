"""Changes of many locked posts by few statements, whose workflows are told at a pace."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import TextClause

from domain.audit import AuditEntry
from domain.pauses import SkipReason
from store.audit.trail import add_entries

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
    await session.execute(_DRAFT, {"ids": list(post_ids), "reason": reason.value})
    await raise_versions(session, post_ids, entry, now)


async def schedule_posts(
    session: AsyncSession, times: Mapping[str, datetime], entry: AuditEntry, now: datetime
) -> None:
    """Schedule locked drafts, each for its time by its id."""
    values = {"ids": list(times), "times": list(times.values())}
    await session.execute(_WAIT, values)
    await session.execute(_SCHEDULE, values)
    await raise_versions(session, list(times), entry, now)


async def raise_versions(session: AsyncSession, post_ids: Sequence[str], entry: AuditEntry, now: datetime) -> None:
    """Raise the versions of locked posts, with a line in the history of each; their workflows are told at a pace."""
    rows = (await session.execute(_RAISE_VERSIONS, {"ids": list(post_ids), "now": now})).all()
    await add_entries(
        session,
        [
            (workspace_id, post_id, replace(entry, details=(("version", version), *entry.details)))
            for post_id, workspace_id, version in rows
        ],
    )


def wait_statement(column: str) -> TextClause:
    """Return the statement that lets targets, named by this column of theirs, wait from new times without a failure."""
    # The columns of NO_FAILURE, which a test compares.
    return text(f"""
UPDATE targets SET
  warning = NULL, error = NULL, error_code = NULL, error_category = NULL, retryable = NULL, next_attempt_at = NULL,
  confirming = false, hold_reason = NULL, released_at = NULL,
  status = 'pending', due_at = new.due_at, begun_at = NULL, preflight_at = NULL, preflight_code = NULL
FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS new (id, due_at) WHERE targets.{column} = new.id
""")  # noqa: S608 our own column


_WAIT = wait_statement("post_id")
_SCHEDULE = text("""
UPDATE posts SET status = 'scheduled', due_at = new.due_at, skip_reason = NULL
FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS new (id, due_at) WHERE posts.id = new.id
""")
_DRAFT = text("""
UPDATE posts SET status = 'draft', due_at = NULL, skip_reason = :reason WHERE id = ANY(CAST(:ids AS text[]))
""")
_RAISE_VERSIONS = text("""
UPDATE posts SET version = version + 1, updated_at = :now, delivery_attempts = 0,
  next_delivery_at = bulk_delivery_at_v1(due_at)
WHERE id = ANY(CAST(:ids AS text[])) RETURNING id, workspace_id, version
""")
