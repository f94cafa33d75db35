"""Claims on public posts: which target of an account owns which post, also if two targets have the same text."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, text, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import ROWS_LOST, AttemptState
from domain.post import text_in_effect
from store.locks import lock
from store.models import Attempt, Post, Target
from store.publishing.targets import LoadedTarget

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
