"""Posts whose time a client gave as wall time, and the time zones with which they were resolved."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.schedule import ZoneData
from store.database import Database
from store.models import Post, ZoneCheck

_BATCH = 500
# A literal: the planner must see that the partial indexes have these posts.
_IS_UNBEGUN = text("posts.status IN ('draft', 'scheduled')")


class WallTime(NamedTuple):
    """A post's due time, and the wall time that its client gave for it."""

    post_id: str
    workspace_id: str
    wall: str
    zone: str
    instant: datetime


async def wall_times(database: Database, due_from: datetime, since: datetime | None) -> AsyncIterator[WallTime]:
    """Yield the wall times of drafts and scheduled posts, soonest first.

    With `since`, only those that were changed from then on are yielded, in the order of their changes.
    """
    at = Post.scheduled_for if since is None else Post.updated_at
    query = (
        select(Post.id, Post.workspace_id, Post.scheduled_wall, Post.timezone, Post.scheduled_for, at)
        .where(Post.scheduled_wall.is_not(None), _IS_UNBEGUN, Post.scheduled_for > due_from)
        .order_by(at, Post.id)
        .limit(_BATCH)
    )
    after: tuple[datetime | None, str] = (due_from if since is None else since, "")
    while True:
        async with database.reading() as session:
            rows = (await session.execute(query.where(tuple_(at, Post.id) > after))).all()
        for row in rows:
            yield WallTime._make(row[:-1])
        if len(rows) < _BATCH:
            return
        after = (rows[-1][-1], rows[-1][0])


async def last_check(session: AsyncSession) -> ZoneCheck | None:
    """Return the record of the last check."""
    return await session.scalar(select(ZoneCheck))


async def note_version(session: AsyncSession, version: str) -> None:
    """Save the version of the zones of this process, so that processes with older ones do not move posts."""
    statement = insert(ZoneCheck).values(newest_version=version)
    newest = func.greatest(ZoneCheck.newest_version, statement.excluded.newest_version)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[ZoneCheck.only], set_={"newest_version": newest})
    )


async def note_check(session: AsyncSession, zones: ZoneData, checked_at: datetime) -> None:
    """Save that every wall time saved before that time was compared with these zones."""
    await note_version(session, zones.version)
    await session.execute(update(ZoneCheck).values(digest=zones.digest, checked_at=checked_at))
