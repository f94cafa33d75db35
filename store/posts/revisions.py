"""Edits that the API saves and a post's workflow makes: their content is passed in these rows, never in a payload."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import RevisionState
from domain.audit import Action, Actor, AuditEntry
from domain.content import EditedText
from domain.ids import new_id
from store.audit.trail import trail_event
from store.models import Post, Revision


async def add_revision(
    session: AsyncSession, post: Post, edit: EditedText, actor: Actor, now: datetime, revision_id: str | None = None
) -> str:
    """Save an edit that waits for the post's workflow, under the given id or a new one; returns its id."""
    revision = Revision(
        id=revision_id or new_id("rev"),
        post_id=post.id,
        body=edit.model_dump(mode="json"),
        state=RevisionState.WAITING,
        created_at=now,
    )
    session.add(revision)
    edited = [target for target in post.targets if target.id in edit.target_ids]
    named = tuple((target.platform, target.account_id) for target in edited)
    session.add(trail_event(post, AuditEntry(Action.EDITED, actor, targets=named)))
    await session.flush()
    return revision.id


async def count_revisions(session: AsyncSession, post_id: str) -> int:
    """Return how many edits of a post were requested, whatever their results."""
    return await session.scalar(select(func.count()).where(Revision.post_id == post_id)) or 0


async def find_revision(session: AsyncSession, revision_id: str) -> Revision | None:
    """Return the current row of a revision."""
    return await session.get(Revision, revision_id, populate_existing=True)
