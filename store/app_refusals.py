"""Apps of the operator's that their networks refuse, and which held targets wait for them."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from domain.post import HoldReason, TargetStatus
from store.models import Account, AppRefusal, Post, Target

FIRST_PROBE, SLOWEST_PROBE = timedelta(minutes=1), timedelta(minutes=15)
"""A refused app is probed after the first, then once per age of the refusal, at the slowest rate in the end; ours."""


async def refuse_app(session: AsyncSession, platform: str, app_id: str, code: str, message: str) -> None:
    """Note that a network refuses an app: from now on its posts are held without asking the network."""
    now = datetime.now(UTC)
    values = {"code": code, "message": message, "last_refused_at": now}
    statement = insert(AppRefusal).values(
        platform=platform, app_id=app_id, refused_at=now, probe_at=now + FIRST_PROBE, **values
    )
    await session.execute(statement.on_conflict_do_update(index_elements=["platform", "app_id"], set_=values))


async def accept_app(session: AsyncSession, platform: str, app_id: str) -> None:
    """Note that a network accepts an app again."""
    await session.execute(delete(AppRefusal).where(AppRefusal.platform == platform, AppRefusal.app_id == app_id))


async def refused_apps(session: AsyncSession) -> list[AppRefusal]:
    """Return the apps that are refused now."""
    return list(await session.scalars(select(AppRefusal).order_by(AppRefusal.platform, AppRefusal.app_id)))


async def posts_to_probe_with(session: AsyncSession) -> list[Post]:
    """Return one held post for each refused app that is to be probed now, and note that its target is released.

    An app for which nothing waits any more is forgotten: the next post finds out. Of several workers one gets a probe.
    """
    now = datetime.now(UTC)
    age = func.least(func.greatest(now - AppRefusal.refused_at, FIRST_PROBE), SLOWEST_PROBE)
    due = update(AppRefusal).where(AppRefusal.probe_at <= now).values(probe_at=now + age)
    posts = []
    for app in await session.scalars(due.returning(AppRefusal)):
        oldest = _held_for(app.platform, app.app_id).order_by(Target.due_at, Target.id).limit(1)
        target = (await session.scalars(oldest.with_for_update(of=Target, skip_locked=True))).one_or_none()
        if target is None:
            await session.delete(app)
            continue
        target.released_at = now
        query = select(Post).where(Post.id == target.post_id).options(selectinload(Post.targets))
        posts.append((await session.scalars(query)).one())
    return posts


def app_is_accepted() -> ColumnElement[bool]:
    """Return the condition on `Account` that the app it was connected with is not refused."""
    refused = select(AppRefusal.platform).where(
        AppRefusal.platform == Account.platform, AppRefusal.app_id == Account.app_id
    )
    return ~refused.correlate(Account).exists()


def _held_for(platform: str, app_id: str) -> Select[Target]:
    of_target = and_(Account.workspace_id == Target.workspace_id, Account.id == Target.account_id)
    return (
        select(Target)
        .join(Account, and_(of_target, Account.platform == Target.platform))
        .where(Target.status == TargetStatus.HELD, Target.hold_reason == HoldReason.OPERATOR)
        .where(Account.platform == platform, Account.app_id == app_id)
    )
