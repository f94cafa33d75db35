"""Claims on public posts: which target of an account owns which post, also if two targets have the same text."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import ROWS_LOST, AttemptState
from domain.post import text_in_effect
from store.locks import lock
from store.models import Attempt, Post, Target
from store.publishing.targets import LoadedTarget

_MARGIN = timedelta(minutes=5)
"""How long before a target's first send a publication of another target still matters, because clocks differ."""


async def posts_of_other_targets(session: AsyncSession, target: Target, since: datetime | None) -> frozenset[str]:
    """Return the ids of the account's posts since a time that are known to belong to other targets."""
    if since is None:
        return frozenset()
    recent = or_(Target.published_at.is_(None), Target.published_at >= since - _MARGIN)
    query = select(Target.platform_post_id).where(_other_targets(target), Target.platform_post_id.is_not(None), recent)
    return frozenset(post_id for post_id in await session.scalars(query) if post_id is not None)


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
    text = func.coalesce(Target.custom_content, Post.content, "")
    # A response that was lost with its rows never comes.
    may_come = Attempt.code.is_distinct_from(ROWS_LOST)
    is_open = Attempt.state == AttemptState.SENDING
    awaited = select(Attempt.id).where(Attempt.target_id == Target.id, is_open, may_come).exists()
    same = text == text_in_effect(loaded.post.content, target.custom_content)
    theirs = Target.platform_post_id == platform_post_id
    if by_text:
        theirs = or_(theirs, and_(awaited, same))
    others = select(Target.id).join(Post, Post.id == Target.post_id).where(_other_targets(target), theirs)
    if await session.scalar(select(others.exists())):
        return False
    mine = update(Target).where(Target.id == target.id, Target.platform_post_id.is_(None))
    await session.execute(mine.values(platform_post_id=platform_post_id))
    return True


def _other_targets(target: Target) -> ColumnElement[bool]:
    return and_(
        Target.workspace_id == target.workspace_id,
        Target.account_id == target.account_id,
        Target.platform == target.platform,
        Target.id != target.id,
    )
