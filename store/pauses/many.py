"""Changes of many locked posts by few statements, whose workflows are told at a pace."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import TextClause

from domain.audit import AuditEntry
from domain.pauses import SkipReason
from store.audit.trail import add_entries


async def make_drafts(
    session: AsyncSession, post_ids: Sequence[str], reason: SkipReason, entry: AuditEntry, now: datetime
) -> None:
    """Make drafts of locked posts of which nothing was sent; they keep the time that their client gave them."""
    await session.execute(_WAIT, {"ids": list(post_ids), "times": [None] * len(post_ids)})
    await session.execute(_DRAFT, {"ids": list(post_ids), "reason": reason.value})
    await raise_versions(session, post_ids, entry, now)


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
_DRAFT = text("""
UPDATE posts SET status = 'draft', due_at = NULL, skip_reason = :reason WHERE id = ANY(CAST(:ids AS text[]))
""")
_RAISE_VERSIONS = text("""
UPDATE posts SET version = version + 1, updated_at = :now, delivery_attempts = 0,
  next_delivery_at = bulk_delivery_at_v1(due_at)
WHERE id = ANY(CAST(:ids AS text[])) RETURNING id, workspace_id, version
""")
