"""Pauses of campaigns, and moves of their posts, in the transaction that locks the campaign's row.

The order of locks is: the campaign, the pauses of its workspace, its posts, its gate.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import Action, Actor, AuditEntry
from domain.campaigns import CampaignStatus, OperationKind
from domain.errors import Problem
from domain.moves import MOST_MOVED, Move, MoveRefused, Obstacle, move_all
from domain.ownership import BULK_LEAD
from domain.pauses import MissedPolicy, PauseScope, Resumed, campaign_gate
from domain.post import OPEN, PostStatus
from domain.schedule import Shift, rfc3339
from store.campaigns.campaigns import (
    campaign_rules,
    campaign_status,
    lock_campaign,
    raise_campaign_version,
)
from store.campaigns.operations import record_on_campaign
from store.models import Campaign, Pause, Post
from store.pauses.gates import open_gate
from store.pauses.moving import HAS_TIME, MAY_MOVE, read_planned, write_moves
from store.pauses.pauses import begin_pause, end_pause, find_pause_under_way, gate_of_pause, preview_end
from store.rows import find_row


@dataclass(frozen=True, slots=True)
class ResumedPause:
    """The end of a pause."""

    resumed: Resumed
    continuing: Sequence[str]
    """The ids of the posts that are due soon, the first due first."""
    operation_id: str | None
    """Of a campaign's pause that this has ended."""


def find_pause_problem(campaign: Campaign) -> Problem | None:
    """Return why a campaign cannot be paused."""
    match campaign_status(campaign):
        case CampaignStatus.DRAFT:
            return Problem("The campaign is a draft: no post of it is sent before its start", "campaign_not_started")
        case CampaignStatus.ENDED:
            return Problem("The campaign has ended: no post of it is sent any more", "campaign_ended")
        case CampaignStatus.ACTIVE | CampaignStatus.PAUSED:
            return None


async def pause_campaign(
    session: AsyncSession,
    campaign: Campaign,
    reason: str | None,
    actor: Actor,
    *,
    resume_at: datetime | None = None,
    missed: MissedPolicy | None = None,
) -> tuple[Pause, str]:
    """Close the gate of a locked campaign; return its pause, and the id of the operation.

    A pause that is under way stays, and ends at `resume_at` from now on, if that is given.
    """
    pause, is_new = await begin_pause(session, campaign.workspace_id, campaign_gate(campaign.id), reason, actor)
    if is_new or resume_at is not None:
        campaign.resume_at, campaign.resume_missed = resume_at, missed and missed.value
        _set_status(campaign, CampaignStatus.PAUSED)
    operation_id = await record_on_campaign(session, campaign, OperationKind.PAUSED, actor, pause_json(campaign, pause))
    return pause, operation_id


def pause_json(campaign: Campaign, pause: Pause) -> dict[str, Any]:
    """Return the pause of a campaign as an operation keeps it."""
    result = {"since": rfc3339(pause.paused_at), "reason": pause.reason}
    if campaign.resume_at is not None:
        result |= {"resumeAt": rfc3339(campaign.resume_at), "missed": campaign.resume_missed}
    return result


async def find_pause_of_campaign(session: AsyncSession, campaign: Campaign) -> Pause | None:
    """Return the pause of a campaign that is under way."""
    return await find_pause_under_way(session, campaign.workspace_id, campaign_gate(campaign.id))


async def resume(
    session: AsyncSession,
    pause: Pause,
    policy: MissedPolicy | None,
    spacing: timedelta,
    actor: Actor,
) -> ResumedPause | None:
    """End a pause of any scope; a campaign is active again, and the operation is recorded.

    None if something was missed and `policy` does not say what becomes of it. Raises MoveRefused.
    """
    campaign = await _find_campaign_paused(session, pause)
    rules = None if campaign is None else campaign_rules(campaign)
    ended = await end_pause(session, pause, policy, spacing, actor, rules)
    if ended is None:
        return None
    resumed, continuing = ended
    operation_id = None
    if campaign is not None and campaign.status == CampaignStatus.PAUSED:
        campaign.resume_at = campaign.resume_missed = None
        _set_status(campaign, CampaignStatus.ACTIVE)
        result = resumed_json(resumed, policy)
        operation_id = await record_on_campaign(session, campaign, OperationKind.RESUMED, actor, result)
    return ResumedPause(resumed, continuing, operation_id)


async def preview_resume(session: AsyncSession, pause: Pause, policy: MissedPolicy | None) -> Resumed:
    """Return what the end of a pause of any scope would do now. Raises MoveRefused."""
    campaign = await _find_campaign_paused(session, pause, is_locked=False)
    return await preview_end(session, pause, policy, None if campaign is None else campaign_rules(campaign))


def resumed_json(resumed: Resumed, policy: MissedPolicy | None) -> dict[str, Any]:
    """Return the effect of the end of a pause as an operation keeps it."""
    values = asdict(resumed)
    return {"stillPaused": values.pop("still_paused"), **values, "missed": policy and policy.value}


async def _find_campaign_paused(session: AsyncSession, pause: Pause, *, is_locked: bool = True) -> Campaign | None:
    gate = gate_of_pause(pause)
    if gate.kind is not PauseScope.CAMPAIGN:
        return None
    if is_locked:
        return await lock_campaign(session, pause.workspace_id, gate.id)
    return await find_row(session, Campaign, pause.workspace_id, gate.id)


def _set_status(campaign: Campaign, status: CampaignStatus) -> None:
    campaign.status = status.value
    raise_campaign_version(campaign)


async def close_pause(session: AsyncSession, campaign: Campaign, actor: Actor) -> None:
    """End the pause of a locked campaign that ends or is deleted, if it is paused; its posts are settled before."""
    pause = await find_pause_of_campaign(session, campaign)
    if pause is None:
        return
    pause.ended_at, pause.ended_by_type, pause.ended_by = datetime.now(UTC), actor.type.value, actor.id
    pause.result = asdict(Resumed())
    await open_gate(session, campaign.workspace_id, campaign_gate(campaign.id))


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
    operation_id = await record_on_campaign(session, campaign, OperationKind.SHIFTED, actor, shift.as_json())
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
