"""Pauses, resumptions and moves of campaigns: each is one transaction, done once for its Idempotency-Key."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from api.campaigns.pausing_bodies import PauseCampaignBody, ResumeCampaignBody, ShiftCampaignBody
from api.campaigns.requests import CampaignRequest, DoneOperation, require_campaign, shown_campaigns
from api.http.body import JsonObject
from api.http.body_validation import read_valid
from api.http.moments import require_moment
from api.pauses.actions import ASK_EVERY_S, missed_unsaid, read_policy
from api.posts.answers.answer import Answer
from api.posts.clock import now_ms
from api.shared.moves import move_refusal
from api.views import write_json
from domain.campaigns import CampaignRules
from domain.errors import Conflict, InvalidRequest, Problem
from domain.moves import MoveRefused
from domain.pauses import MissedPolicy, campaign_gate
from domain.schedule import parse_shift
from store.campaigns.campaigns import campaign_rules
from store.campaigns.pausing import (
    ShiftRequest,
    find_pause_of_campaign,
    find_pause_problem,
    pause_campaign,
    pause_json,
    preview_resume,
    preview_shift,
    resumed_json,
    shift_campaign,
)
from store.campaigns.pausing import resume as end_pause
from store.models import Campaign, Pause
from store.pauses.gates import posts_in_flight
from store.pauses.pauses import preview_end

log = structlog.get_logger(__name__)

_NOT_PAUSED = Problem("The campaign is not paused", "conflict")
_NOT_AHEAD = Problem("resumeAt must be in the future", "invalid_field_value", "resumeAt")


async def pause(request: CampaignRequest, campaign_id: str, payload: JsonObject, wait_s: float) -> Answer:
    """Pause a campaign; wait a while for what is being sent. Raises NotFound, InvalidRequest, Conflict."""
    body = read_valid(PauseCampaignBody, payload)
    policy = MissedPolicy(body.missed) if body.missed else None
    if (body.resume_at is None) != (policy is None):
        missing = "missed" if policy is None else "resumeAt"
        sentence = f"{missing} is required: resumeAt and missed belong together"
        raise InvalidRequest(Problem(sentence, "missing_required_field", missing))
    async with request.deps.database.transaction() as session:
        operation = await request.known(session)
        if operation is None:
            campaign = await request.locked_campaign(session, campaign_id)
            if problem := find_pause_problem(campaign):
                raise Conflict(problem)
            resume_at = None if body.resume_at is None else _read_resume_at(body.resume_at, campaign)
            begun, operation_id = await pause_campaign(
                session,
                campaign,
                body.reason,
                request.actor,
                resume_at=resume_at,
                missed=policy,
                request=request.keyed,
            )
            operation = DoneOperation(operation_id, campaign.id, pause_json(campaign, begun))
    _log("campaign.paused", operation)
    request.deps.closed_gates.forget()
    await _wait_for_sends(request, campaign_id, wait_s)
    return await request.answer(operation)


def _log(event: str, operation: DoneOperation) -> None:
    """Log an operation that this request has done."""
    if not operation.is_replay:
        log.info(event, campaign_id=operation.campaign_id, operation_id=operation.id)


async def _wait_for_sends(request: CampaignRequest, campaign_id: str, wait_s: float) -> None:
    """Wait until nothing of a paused campaign is being sent any more, but not longer than `wait_s`."""
    deadline = asyncio.get_running_loop().time() + wait_s
    while asyncio.get_running_loop().time() < deadline:
        async with request.deps.database.reading() as session:
            if not await posts_in_flight(session, request.workspace_id, campaign_gate(campaign_id)):
                return
        await asyncio.sleep(ASK_EVERY_S)


def _read_resume_at(text: str, campaign: Campaign) -> datetime:
    resume_at = require_moment("resumeAt", text, campaign.timezone)
    if resume_at <= now_ms():
        raise InvalidRequest(_NOT_AHEAD)
    return resume_at


async def resume(request: CampaignRequest, campaign_id: str, payload: JsonObject) -> Answer:
    """End the pause of a campaign, or say what that would do. Raises NotFound, InvalidRequest, Conflict."""
    body = read_valid(ResumeCampaignBody, payload)
    policy = read_policy(body)
    if body.dry_run:
        return await _preview(request, campaign_id, policy)
    continuing: list[str] = []
    try:
        async with request.deps.database.transaction() as session:
            operation = await request.known(session)
            if operation is None:
                campaign = await request.locked_campaign(session, campaign_id)
                begun = await _require_pause(session, campaign)
                spacing = timedelta(seconds=body.spacing)
                ended = await end_pause(session, begun, policy, spacing, request.actor, request.keyed)
                if ended is None:
                    raise missed_unsaid(await preview_end(session, begun, None))
                continuing += ended.continuing
                result = resumed_json(ended.resumed, policy)
                operation = DoneOperation(ended.operation_id or "", campaign.id, result)
    except MoveRefused as refused:
        raise move_refusal(refused, "missed") from None
    _log("campaign.resumed", operation)
    request.deps.closed_gates.forget()
    request.deps.delivery.deliver_saved(continuing)
    return await request.answer(operation)


async def _preview(request: CampaignRequest, campaign_id: str, policy: MissedPolicy | None) -> Answer:
    try:
        async with request.deps.database.reading() as session:
            campaign = await require_campaign(session, request.workspace_id, campaign_id)
            begun = await _require_pause(session, campaign)
            result = resumed_json(await preview_resume(session, begun, policy), policy)
    except MoveRefused as refused:
        raise move_refusal(refused, "missed") from None
    return await _answer_preview(request, campaign, result)


async def _require_pause(session: AsyncSession, campaign: Campaign) -> Pause:
    begun = await find_pause_of_campaign(session, campaign)
    if begun is None:
        raise Conflict(_NOT_PAUSED)
    return begun


async def shift(request: CampaignRequest, campaign_id: str, payload: JsonObject) -> Answer:
    """Move the posts of a campaign, or say what that would do. Raises NotFound, InvalidRequest, Conflict."""
    body = read_valid(ShiftCampaignBody, payload)
    continuing: list[str] = []
    try:
        if body.dry_run:
            async with request.deps.database.reading() as session:
                campaign = await require_campaign(session, request.workspace_id, campaign_id)
                preview = await preview_shift(session, campaign, _read_shift(body, campaign_rules(campaign)))
            return await _answer_preview(request, campaign, preview.as_json())
        async with request.deps.database.transaction() as session:
            operation = await request.known(session)
            if operation is None:
                campaign = await request.locked_campaign(session, campaign_id)
                effect, operation_id, soon = await shift_campaign(
                    session, campaign, _read_shift(body, campaign_rules(campaign)), request.actor, request.keyed
                )
                continuing += soon
                operation = DoneOperation(operation_id, campaign.id, effect.as_json())
    except MoveRefused as refused:
        raise move_refusal(refused, "by") from None
    _log("campaign.shifted", operation)
    request.deps.delivery.deliver_saved(continuing)
    return await request.answer(operation)


def _read_shift(body: ShiftCampaignBody, campaign: CampaignRules) -> ShiftRequest:
    zone = campaign.timezone
    begin = None if body.from_ is None else require_moment("from", body.from_, zone, end=False)
    end = None if body.to is None else require_moment("to", body.to, zone, end=True)
    if begin is not None and end is not None and begin > end:
        raise InvalidRequest(Problem("from is after to", "invalid_field_value", "from"))
    return ShiftRequest(parse_shift(body.by), begin, end)


async def _answer_preview(request: CampaignRequest, campaign: Campaign, result: Mapping[str, Any]) -> Answer:
    (view,) = await shown_campaigns(request.deps, [campaign])
    view["result"] = dict(result)
    return Answer(200, write_json(view))
