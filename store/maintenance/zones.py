"""Posts whose time a client gave as wall time, and the time zones with which they were resolved."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.post import UNBEGUN
from domain.zones import ZoneData
from store.database import Database
from store.models import Post, ZoneCheck

_BATCH = 500


class WallTime(NamedTuple):
    """A post's due time, and the wall time that its client gave for it."""

    post_id: str
    workspace_id: str
    wall: str
    zone: str
    instant: datetime


async def wall_times(database: Database, due_from: datetime, since: datetime | None) -> AsyncIterator[WallTime]:
    """Yield the wall times of drafts and scheduled posts, soonest first; `since` leaves out older changes."""
    place = tuple_(Post.scheduled_for, Post.id)
    query = (
        select(Post.id, Post.workspace_id, Post.scheduled_wall, Post.timezone, Post.scheduled_for)
        .where(Post.scheduled_wall.is_not(None), Post.status.in_(UNBEGUN))
        .order_by(Post.scheduled_for, Post.id)
        .limit(_BATCH)
    )
    if since is not None:
        query = query.where(Post.updated_at >= since)
    after = (due_from, "")
    while True:
        async with database.reading() as session:
            batch = [WallTime._make(row) for row in await session.execute(query.where(place > after))]
        for wall_time in batch:
            yield wall_time
        if len(batch) < _BATCH:
            return
        after = (batch[-1].instant, batch[-1].post_id)


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
