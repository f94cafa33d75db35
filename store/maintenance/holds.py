"""The release of posts that were held for an account or for the operator's app, once these work again."""

from datetime import datetime

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from domain.audit import WORKER, Action, AuditEntry
from domain.post import HoldReason, TargetStatus
from store.apps import app_is_accepted
from store.audit import add_unless_recorded
from store.models import Account, Post, Target


async def claim_released_posts(
    session: AsyncSession, now: datetime, *, released_before: datetime, limit: int
) -> list[Post]:
    """Mark up to `limit` targets that need not be held any more as released; return their posts, with all targets.

    Targets that were released after `released_before` are left out, so each worker finds others.
    """
    works = and_(
        Account.workspace_id == Target.workspace_id,
        Account.id == Target.account_id,
        Account.platform == Target.platform,
        or_(
            and_(Target.hold_reason == HoldReason.RECONNECT, Account.refused_at.is_(None)),
            and_(Target.hold_reason == HoldReason.OPERATOR, app_is_accepted()),
        ),
    )
    held = (
        select(Target.id)
        .where(
            Target.status == TargetStatus.HELD,
            # Named here, too: targets that wait for the end of a pause are many, and are not looked up one by one.
            Target.hold_reason.in_((HoldReason.RECONNECT, HoldReason.OPERATOR)),
            or_(Target.released_at.is_(None), Target.released_at < released_before),
            select(Account.id).where(works).exists(),
        )
        .order_by(Target.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    release = (
        update(Target).where(Target.id.in_(held.scalar_subquery())).values(released_at=now).returning(Target.post_id)
    )
    ids = set(await session.scalars(release, execution_options={"synchronize_session": False}))
    query = select(Post).where(Post.id.in_(ids)).order_by(Post.due_at, Post.id).options(selectinload(Post.targets))
    posts = list(await session.scalars(query))
    for post in posts:
        await add_unless_recorded(session, post, AuditEntry(Action.RELEASED, WORKER))
    return posts
