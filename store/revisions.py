"""Changes that the api saves and a post's workflow carries out: content goes through here, never through a payload."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.content import Amendment, Edit
from domain.errors import Problem
from domain.ids import new_id
from store.models import Revision


async def add_revision(session: AsyncSession, post_id: str, change: Amendment | Edit, now: datetime) -> str:
    """Save a change that waits for the post's workflow; returns its id."""
    revision = Revision(
        id=new_id("rev"),
        post_id=post_id,
        kind="amend" if isinstance(change, Amendment) else "edit",
        body=change.model_dump(mode="json"),
        state="waiting",
        created_at=now,
    )
    session.add(revision)
    await session.flush()
    return revision.id


async def find_revision(session: AsyncSession, revision_id: str) -> Revision | None:
    """Return a revision as it stands now."""
    return await session.get(Revision, revision_id, populate_existing=True)


async def refuse_revision(session: AsyncSession, revision_id: str, problem: Problem) -> None:
    """Note why a waiting change was not made."""
    await session.execute(
        update(Revision)
        .where(Revision.id == revision_id, Revision.state == "waiting")
        .values(state="refused", error=problem.error, error_code=problem.code, param=problem.param)
    )
