"""Changes to rows after the database, Temporal or both were restored from a backup."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import ROWS_LOST, AttemptState
from domain.audit import WORKER, Action, Actor, AuditEntry
from domain.ownership import CLOCKS_DIFFER
from domain.post import OPEN
from store.maintenance.servers import promoted_timeline
from store.models import Attempt, Post, Restore
from store.posts.changes import confirm_first, lock_post

_DELIVER_AGAIN = text("""
UPDATE posts SET delivered_version = least(delivered_version, version - 1),
                 next_delivery_at = NULL, delivery_attempts = 0
WHERE status IN ('scheduled', 'publishing') AND due_at < :due_before
""")

MOVED_AT_MOST = timedelta(days=7)
"""Posts that are due later are not confirmed in case they were moved: all posts of the account until then are read.

Campaigns are moved by any time, so their posts are."""


async def begin_restore(
    session: AsyncSession, restored_to: datetime, now: datetime, *, database: bool, temporal: bool
) -> Restore:
    """Save that stores were restored, and return the restore; if one is open, that one is returned and continues."""
    if open_one := await open_restore(session):
        return open_one
    restore = Restore(restored_to=restored_to, database=database, temporal=temporal, begun_at=now)
    if not temporal:
        restore.timeline = await promoted_timeline(session)
    session.add(restore)
    await session.flush()
    await session.refresh(restore)
    return restore


_BEGIN_FEEDS_AGAIN = (
    text("UPDATE events SET xid = pg_current_xact_id()"),
    text("UPDATE listeners SET since = NULL, since_xid = NULL"),
    text("UPDATE delivery_progress SET low = pg_current_xact_id()"),
)


async def begin_feeds_again(session: AsyncSession) -> None:
    """Let the feeds of all workspaces begin again: a restored database counts transactions from another number.

    Cursors from before are refused from now on, and the events that were restored are read again.
    """
    for statement in _BEGIN_FEEDS_AGAIN:
        await session.execute(statement)


async def open_restore(session: AsyncSession) -> Restore | None:
    """Return the open restore, None if there is none."""
    return await session.scalar(select(Restore).where(Restore.finished_at.is_(None)).order_by(Restore.id).limit(1))


def _is_complete(post: Post, restore: Restore) -> bool:
    """Return whether a post was created after the promotion that a restore deals with, before anything was sent."""
    return restore.timeline is not None and post.untrusted_timeline == restore.timeline


async def confirm_if_older_than_restore(session: AsyncSession, post: Post, written_at: datetime) -> None:
    """Save that a locked post must be confirmed first if its row is that of a backup, and it was due by the restore.

    `written_at`: when the row was written last, before this transaction. The post may have been published between the
    copy and the restore.
    """
    query = select(Restore).where(Restore.database, Restore.begun_at >= post.due_at)
    restore = await session.scalar(query.order_by(Restore.id.desc()).limit(1))
    if restore is None or _is_complete(post, restore):
        return
    if written_at <= restore.restored_to + CLOCKS_DIFFER:
        since = restore.restored_to - CLOCKS_DIFFER
        await confirm_first(session, post, AuditEntry(Action.RESTORED, WORKER), since, restore.begun_at)


async def confirm_the_next_first(
    session: AsyncSession, restore_id: int, actor: Actor, now: datetime, limit: int, searchable: Collection[str]
) -> bool:
    """Save that the next posts which may be public must be confirmed before they are sent; False if there are no more.

    Their rows end at the time of the copy, but for posts that were created since a promotion. A post that was due by
    now may have been published since. A post that is due later may have been moved into that time, a campaign's post
    from any distance. It is confirmed only on `searchable` platforms, which find a post by its text alone. On any other
    platform it could only wait for a person's decision.
    """
    restore = await session.get_one(Restore, restore_id)
    may_be_public = or_(Post.due_at <= now + MOVED_AT_MOST, Post.campaign_id.is_not(None))
    query = select(Post.id).where(Post.status.in_(OPEN), may_be_public, Post.id > restore.last_post_id)
    ids = list(await session.scalars(query.order_by(Post.id).limit(limit)))
    for post_id in ids:
        post = await lock_post(session, post_id)
        if post is None or post.due_at is None or _is_complete(post, restore):
            continue
        since = restore.restored_to - CLOCKS_DIFFER
        if await confirm_first(
            session, post, AuditEntry(Action.RESTORED, actor), since, now, None if post.due_at <= now else searchable
        ):
            restore.to_confirm += 1
    if ids:
        restore.last_post_id = ids[-1]
    return len(ids) == limit


async def deliver_again(session: AsyncSession, due_before: datetime) -> None:
    """Mark posts that are due before a time for delivery: their workflows may be older than the database."""
    await session.execute(_DELIVER_AGAIN, {"due_before": due_before})


async def finish_restore(session: AsyncSession, restore_id: int, now: datetime) -> None:
    """Save that the restore is finished: the API accepts writes again."""
    await session.execute(update(Restore).where(Restore.id == restore_id).values(finished_at=now))


async def count_to_confirm_first(session: AsyncSession) -> int:
    """Return how many targets are still to be confirmed because their rows were lost."""
    query = select(func.count(Attempt.id)).where(Attempt.state == AttemptState.SENDING, Attempt.code == ROWS_LOST)
    return await session.scalar(query) or 0
