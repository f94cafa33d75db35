"""Claims on public posts, and the bound on sends of a target whose platform shows no posts: confirmation needs both."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, cast, func, or_, select, text, union_all, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import ROWS_LOST, UNANSWERED, AttemptState, AttemptStep, WhenUnreadable
from domain.audit import Action
from domain.ownership import FENCE
from domain.post import text_in_effect
from store.models import Account, Attempt, AuditEvent, Post, Target, Workspace
from store.publishing.targets import LoadedTarget
from store.rows import lock

_CHOICE = func.coalesce(Account.when_unreadable, Workspace.when_unreadable, WhenUnreadable.RESEND_ONCE.value)


async def read_when_unreadable(session: AsyncSession, workspace_id: str) -> WhenUnreadable:
    """Return the wish of a workspace for its accounts without one."""
    value = await session.scalar(select(Workspace.when_unreadable).where(Workspace.id == workspace_id))
    return WhenUnreadable(value or WhenUnreadable.RESEND_ONCE)


async def write_when_unreadable(
    session: AsyncSession, workspace_id: str, value: str | None, account_id: str | None = None
) -> None:
    """Set the wish of a workspace, or of one of its accounts."""
    change = update(Workspace).where(Workspace.id == workspace_id)
    if account_id is not None:
        own = (Account.workspace_id == workspace_id, Account.id == account_id)
        change = update(Account).where(*own)
    await session.execute(change.values(when_unreadable=value))


async def sends_left(session: AsyncSession, target_id: str) -> int:
    """Return how many more times such a target may be sent, counted from a person's last retry.

    The database's own clock dates retries and sends.
    """
    of_target = and_(Account.workspace_id == Target.workspace_id, Account.id == Target.account_id)
    choice = (
        select(_CHOICE)
        .select_from(Target)
        .join(Workspace, Workspace.id == Target.workspace_id)
        .outerjoin(Account, of_target)
        .where(Target.id == target_id)
    )
    own = func.jsonb_build_array(func.jsonb_build_object("platform", Target.platform, "accountId", Target.account_id))
    is_named = or_(
        and_(AuditEvent.platform == Target.platform, AuditEvent.account_id == Target.account_id),
        cast(AuditEvent.details["targets"], JSONB).contains(own),
    )
    retried_at = (
        select(func.max(AuditEvent.at))
        .where(AuditEvent.post_id == Target.post_id, AuditEvent.action == Action.RETRIED, is_named)
        .scalar_subquery()
    )
    begun_at = func.coalesce(Attempt.sendable_until - FENCE, Attempt.started_at)
    sends = (
        select(func.count())
        .select_from(Attempt)
        .join(Target, Target.id == Attempt.target_id)
        .where(
            Target.id == target_id,
            Attempt.step == AttemptStep.PUBLISH,
            or_(Attempt.request_sent, Attempt.state.in_(UNANSWERED)),
            begun_at >= func.coalesce(retried_at, begun_at),
        )
    )
    wish = WhenUnreadable(await session.scalar(choice) or WhenUnreadable.RESEND_ONCE)
    return wish.most_sends - (await session.scalar(sends) or 0)


# A literal: the planner must see that the partial index has these targets.
_MOVES = text("targets.status IN ('publishing', 'unconfirmed')")
_MARGIN = timedelta(minutes=5)
"""How long before a target's first send a publication of another target still matters, because clocks differ."""


async def posts_of_other_targets(session: AsyncSession, target: Target, since: datetime | None) -> frozenset[str]:
    """Return the ids of the account's posts since a time that are known to belong to other targets."""
    if since is None:
        return frozenset()
    public = select(Target.platform_post_id).where(_other_targets(target), Target.platform_post_id.is_not(None))
    # Two parts, so that the index of publications by time serves both.
    recent = union_all(
        public.where(Target.published_at >= since - _MARGIN), public.where(Target.published_at.is_(None))
    )
    return frozenset(await session.scalars(recent))


async def claim_public_post(
    session: AsyncSession, loaded: LoadedTarget, platform_post_id: str, *, by_text: bool = True
) -> bool:
    """Save which public post a target was found to be; return False if it is refused.

    Refused if another target already owns the post. If the post was matched `by_text` only, also while another target
    with the same text awaits its response: that response is worth more.
    """
    target = loaded.target
    # Two targets that are confirmed at the same time must not both find the post free.
    await lock(session, f"claims.{target.account_id}")
    owned = select(Target.id).where(_other_targets(target), Target.platform_post_id == platform_post_id).exists()
    if await session.scalar(select(or_(owned, _awaited_by_other(loaded)) if by_text else owned)):
        return False
    mine = update(Target).where(Target.id == target.id, Target.platform_post_id.is_(None))
    await session.execute(mine.values(platform_post_id=platform_post_id))
    return True


def _awaited_by_other(loaded: LoadedTarget) -> ColumnElement[bool]:
    """Return the condition that another target of the account, with the same text, awaits its response."""
    same_text = text_in_effect(loaded.post.content, loaded.target.custom_content)
    return (
        select(Target.id)
        .join(Post, Post.id == Target.post_id)
        .join(Attempt, Attempt.target_id == Target.id)
        .where(
            _other_targets(loaded.target),
            _MOVES,
            Attempt.state == AttemptState.SENDING,
            # A response that was lost with its rows never comes.
            Attempt.code.is_distinct_from(ROWS_LOST),
            func.coalesce(Target.custom_content, Post.content, "") == same_text,
        )
        .exists()
    )


def _other_targets(target: Target) -> ColumnElement[bool]:
    return and_(
        Target.workspace_id == target.workspace_id,
        Target.account_id == target.account_id,
        Target.platform == target.platform,
        Target.id != target.id,
    )
