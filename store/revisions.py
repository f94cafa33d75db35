"""Edits that the api saves and a post's workflow makes: content goes through here, never through a payload."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import RevisionState
from domain.audit import Action, Actor, AuditEntry
from domain.content import EditedText
from domain.ids import new_id
from store.audit import event_of
from store.models import Post, Revision


async def add_revision(
    session: AsyncSession, post: Post, edit: EditedText, actor: Actor, now: datetime, revision_id: str | None = None
) -> str:
    """Save an edit that waits for the post's workflow, under an id that was made before if need be; returns its id."""
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
    session.add(event_of(post, AuditEntry(Action.EDITED, actor, targets=named)))
    await session.flush()
    return revision.id


async def count_revisions(session: AsyncSession, post_id: str) -> int:
    """Return how many edits a post was asked for, whatever became of them."""
    return await session.scalar(select(func.count()).where(Revision.post_id == post_id)) or 0


async def find_revision(session: AsyncSession, revision_id: str) -> Revision | None:
    """Return a revision as it stands now."""
    return await session.get(Revision, revision_id, populate_existing=True)
