"""The move of the posts of a pause by whole days: what was missed is in the future again, and all others follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import AuditEntry
from domain.campaigns import CampaignRules
from domain.delivery import BULK_LEAD
from domain.moves import MOST_MOVED, Move, MoveRefused, Obstacle, fewest_days, move_all
from domain.pauses import Gate, Resumed
from domain.post import OPEN
from domain.schedule import Shift
from store.models import Post
from store.pauses.gates import behind
from store.pauses.missed import MissedPost, publish_missed, skip_missed
from store.pauses.moving import HAS_TIME, read_planned, write_moves

_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class PauseShift:
    """The effect of the end of a pause if posts move: the new times, and what cannot move."""

    moves: Sequence[Move]
    published: Sequence[MissedPost]
    """Partly public, or without a time of their own: what was missed of them is published now."""
    skipped: Sequence[MissedPost]
    """Posts of series, which have their times from a rule."""

    @property
    def resumed(self) -> Resumed:
        """Return the counts."""
        return Resumed(published=len(self.published), shifted=len(self.moves), skipped=len(self.skipped))


def moved_by_pause(workspace_id: str, gate: Gate) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of the posts that move with those that a gate has missed."""
    return (Post.workspace_id == workspace_id, behind(gate), HAS_TIME, Post.status.in_(OPEN))


async def plan_shift(
    session: AsyncSession,
    workspace_id: str,
    gate: Gate,
    missed: Sequence[MissedPost],
    now: datetime,
    campaign: CampaignRules | None,
) -> PauseShift:
    """Return the new times by which nothing is due in the past. Raises MoveRefused."""
    planned = await read_planned(session, *moved_by_pause(workspace_id, gate))
    continuing = {post.id for post in missed}
    # A post that another pause stops as well stays as it is.
    planned = [post for post in planned if post.id in continuing or post.schedule.instant > now]
    days = fewest_days([post for post in planned if post.id in continuing], now)
    if days and len(planned) > MOST_MOVED:
        raise MoveRefused(Obstacle.TOO_MANY, [post.id for post in planned])
    moves = await move_all(planned, Shift(days, _NO_TIME), now, campaign) if days else []
    moving = {move.post.id for move in moves}
    staying = [post for post in missed if post.id not in moving]
    return PauseShift(
        moves,
        [post for post in staying if not post.is_of_series],
        [post for post in staying if post.is_of_series],
    )


async def shift_missed(
    session: AsyncSession,
    workspace_id: str,
    gate: Gate,
    missed: Sequence[MissedPost],
    entry: AuditEntry,
    now: datetime,
    campaign: CampaignRules | None,
) -> tuple[Resumed, list[str]]:
    """Move locked posts; return the counts, and the ids of the posts that are due soon. Raises MoveRefused."""
    shift = await plan_shift(session, workspace_id, gate, missed, now, campaign)
    await write_moves(session, shift.moves, entry, now)
    await publish_missed(session, shift.published, {post.id: now for post in shift.published}, entry, now)
    await skip_missed(session, shift.skipped, entry, now)
    soon = [move.post.id for move in shift.moves if move.to.instant <= now + BULK_LEAD]
    return shift.resumed, [*(post.id for post in shift.published), *soon]
