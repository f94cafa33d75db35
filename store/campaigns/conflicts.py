"""The scheduled posts that new rules of a campaign would not allow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import CampaignRules
from domain.pauses import SkipReason
from domain.post import PostStatus
from store.models import Post


@dataclass(frozen=True, slots=True)
class Conflicts:
    """The ids of scheduled posts that are not due yet, the first due first."""

    outside_window: Sequence[str] = ()
    in_blackout: Sequence[str] = ()

    @property
    def count(self) -> int:
        """Return the number of posts."""
        return len(self.outside_window) + len(self.in_blackout)

    @property
    def by_reason(self) -> tuple[tuple[SkipReason, Sequence[str]], ...]:
        """Return the posts by the reason for which they would become drafts."""
        return (SkipReason.OUTSIDE_WINDOW, self.outside_window), (SkipReason.IN_BLACKOUT, self.in_blackout)


async def lock_conflicts(session: AsyncSession, workspace_id: str, rules: CampaignRules, now: datetime) -> Conflicts:
    """Lock the posts of a campaign that its new rules would not allow. Raises UnknownZone.

    Posts whose publishing has begun, or is due, stay: the campaign's gate decides about them.
    """
    too_early, too_late = _before(rules.starts_at), _from(rules.ends_at)
    in_blackout = or_(
        false(),
        *(
            and_(Post.due_at >= first, Post.due_at < end)
            for first, end in (blackout.range_in(rules.timezone) for blackout in rules.blackouts)
        ),
    )
    is_outside = or_(too_early, too_late)
    query = select(Post.id, is_outside).where(
        Post.workspace_id == workspace_id,
        Post.campaign_id == rules.id,
        Post.status == PostStatus.SCHEDULED,
        Post.due_at > now,
        or_(is_outside, in_blackout),
    )
    await session.execute(query.order_by(Post.id).with_for_update())
    # A statement of its own: it sees what was committed while this one waited for the locks.
    outside: list[str] = []
    blacked_out: list[str] = []
    for post_id, is_outside_window in await session.execute(query.order_by(Post.due_at, Post.id)):
        (outside if is_outside_window else blacked_out).append(post_id)
    return Conflicts(outside, blacked_out)


def _before(starts_at: datetime | None) -> ColumnElement[bool]:
    return false() if starts_at is None else Post.due_at < starts_at


def _from(ends_at: datetime | None) -> ColumnElement[bool]:
    return false() if ends_at is None else Post.due_at >= ends_at
