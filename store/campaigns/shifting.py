"""The move of a campaign's posts to other times, by wall time."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import Action, Actor, AuditEntry
from domain.campaigns import OperationKind
from domain.delivery import BULK_LEAD
from domain.moves import MOST_MOVED, Move, MoveRefused, Obstacle, move_all
from domain.post import OPEN, PostStatus
from domain.schedule import Shift
from store.campaigns.campaigns import campaign_rules, raise_campaign_version
from store.campaigns.operations import record_operation
from store.models import Campaign, Post
from store.pauses.moving import HAS_TIME, MAY_MOVE, read_planned, write_moves
from store.posts.idempotency import KeyedRequest

MOST_NAMED = 100
"""The ids of posts that an answer names."""


@dataclass(frozen=True, slots=True)
class CampaignShift:
    """The effect of a move."""

    moved: int
    too_late: int
    """The posts whose publishing had begun: they stay."""
    too_late_ids: tuple[str, ...]
    """The first of these."""
    series_kept: int
    """The posts of series, which stay because a rule gives them their times."""

    def as_json(self) -> dict[str, object]:
        """Return it as clients read it and as an operation keeps it."""
        return {
            "moved": self.moved,
            "tooLate": list(self.too_late_ids),
            "tooLateCount": self.too_late,
            "seriesKept": self.series_kept,
        }


@dataclass(frozen=True, slots=True)
class ShiftRequest:
    """The distance by which posts move, and which ones: those scheduled from `begin` to `end`, both included."""

    shift: Shift
    begin: datetime | None = None
    end: datetime | None = None

    def conditions(self, campaign_id: str) -> list[ColumnElement[bool]]:
        """Return the conditions of the posts."""
        conditions = [Post.campaign_id == campaign_id]
        conditions += [Post.scheduled_for >= self.begin] if self.begin else []
        conditions += [Post.scheduled_for <= self.end] if self.end else []
        return conditions


async def preview_shift(session: AsyncSession, campaign: Campaign, request: ShiftRequest) -> CampaignShift:
    """Return what a move would do now. Raises MoveRefused."""
    _, shift = await _plan(session, campaign, request, datetime.now(UTC))
    return shift


async def shift_campaign(
    session: AsyncSession,
    campaign: Campaign,
    request: ShiftRequest,
    actor: Actor,
    keyed: KeyedRequest | None = None,
) -> tuple[CampaignShift, str, list[str]]:
    """Move the posts of a locked campaign that were not sent.

    Returns the effect, the id of the operation, and the ids of the posts that are due soon. Raises MoveRefused.
    """
    moving = [*request.conditions(campaign.id), HAS_TIME, _IS_UNSENT]
    await session.execute(select(Post.id).where(*moving).order_by(Post.id).with_for_update())
    # A statement of its own: it sees what was committed while this one waited for the locks.
    now = datetime.now(UTC)
    moves, shift = await _plan(session, campaign, request, now)
    raise_campaign_version(campaign)
    operation_id = await record_operation(
        session,
        campaign.workspace_id,
        OperationKind.SHIFTED,
        actor,
        shift.as_json(),
        campaign_id=campaign.id,
        request=keyed,
    )
    entry = AuditEntry(Action.CHANGED, actor, details=(("operation", operation_id),))
    await write_moves(session, moves, entry, now)
    soon = [move.post.id for move in moves if not move.post.is_draft and move.to.instant <= now + BULK_LEAD]
    return shift, operation_id, soon


_IS_UNSENT = Post.status.in_((PostStatus.DRAFT, *OPEN)) & Post.skip_reason.is_(None)
"""The condition of open posts and drafts. A post that was skipped by a pause or the end of a campaign does not move."""


async def _plan(
    session: AsyncSession, campaign: Campaign, request: ShiftRequest, now: datetime
) -> tuple[list[Move], CampaignShift]:
    conditions = request.conditions(campaign.id)
    planned = await read_planned(session, *conditions, _IS_UNSENT)
    if len(planned) > MOST_MOVED:
        raise MoveRefused(Obstacle.TOO_MANY, [post.id for post in planned])
    begun = select(Post.id).where(*conditions, HAS_TIME, Post.status.in_(OPEN), ~MAY_MOVE).order_by(Post.id)
    too_late = list(await session.scalars(begun))
    series = select(func.count()).select_from(Post).where(*conditions, Post.series_id.is_not(None), _IS_UNSENT)
    series_kept = (await session.execute(series)).scalar_one()
    moves = await move_all(planned, request.shift, now, campaign_rules(campaign))
    return moves, CampaignShift(len(moves), len(too_late), tuple(too_late[:MOST_NAMED]), series_kept)
