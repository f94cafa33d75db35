"""Pauses of campaigns: begun and ended in the transaction that locks the campaign's row.

The order of locks is: the campaign, the pauses of its workspace, its posts, its gate.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import Actor
from domain.campaigns import CampaignStatus, OperationKind
from domain.errors import Problem
from domain.pauses import MissedPolicy, PauseScope, Resumed, campaign_gate
from domain.schedule import rfc3339
from store.campaigns.campaigns import (
    campaign_rules,
    campaign_status,
    find_campaign,
    lock_campaign,
    raise_campaign_version,
)
from store.campaigns.operations import record_operation
from store.models import Campaign, Pause
from store.pauses.gates import open_gate
from store.pauses.pauses import begin_pause, end_pause, find_pause_under_way, gate_of_pause, preview_end
from store.posts.idempotency import KeyedRequest


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
    request: KeyedRequest | None = None,
) -> tuple[Pause, str]:
    """Close the gate of a locked campaign; return its pause, and the id of the operation.

    A pause that is under way stays, and ends at `resume_at` from now on, if that is given.
    """
    pause, is_new = await begin_pause(session, campaign.workspace_id, campaign_gate(campaign.id), reason, actor)
    if is_new or resume_at is not None:
        campaign.resume_at, campaign.resume_missed = resume_at, missed and missed.value
        _set_status(campaign, CampaignStatus.PAUSED)
    operation_id = await record_operation(
        session,
        campaign.workspace_id,
        OperationKind.PAUSED,
        actor,
        pause_json(campaign, pause),
        campaign_id=campaign.id,
        request=request,
    )
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
    request: KeyedRequest | None = None,
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
        operation_id = await record_operation(
            session,
            campaign.workspace_id,
            OperationKind.RESUMED,
            actor,
            resumed_json(resumed, policy),
            campaign_id=campaign.id,
            request=request,
        )
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
    return await find_campaign(session, pause.workspace_id, gate.id)


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
