"""Pauses, resumptions and moves of campaigns: each is one transaction, done once for its Idempotency-Key."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from api.campaigns.requests import CampaignRequest, DoneOperation, require_campaign, shown_campaigns
from api.campaigns.schemas import PauseCampaignBody, ResumeCampaignBody, ShiftCampaignBody
from api.http.moments import require_moment
from api.pauses.actions import missed_unsaid, read_policy, wait_until_paused
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
from store.pauses.pauses import find_pause_under_way, preview_end

log = structlog.get_logger(__name__)

_NOT_PAUSED = Problem("The campaign is not paused", "conflict")
_NOT_AHEAD = Problem("resumeAt must be in the future", "invalid_field_value", "resumeAt")


async def pause(request: CampaignRequest, body: PauseCampaignBody, wait_s: float) -> Answer:
    """Pause a campaign; wait a while for what is being sent. Raises NotFound, InvalidRequest, Conflict."""
    policy = MissedPolicy(body.missed) if body.missed else None
    if (body.resume_at is None) != (policy is None):
        missing = "missed" if policy is None else "resumeAt"
        sentence = f"{missing} is required: resumeAt and missed belong together"
        raise InvalidRequest(Problem(sentence, "missing_required_field", missing))
    begun: Pause | None = None

    async def work() -> Answer:
        nonlocal begun
        async with request.locked_campaign() as (session, campaign):
            if problem := find_pause_problem(campaign):
                raise Conflict(problem)
            resume_at = body.resume_at and require_moment("resumeAt", body.resume_at, campaign.timezone)
            if resume_at and resume_at <= now_ms():
                raise InvalidRequest(_NOT_AHEAD)
            begun, operation_id = await pause_campaign(
                session, campaign, body.reason, request.actor, resume_at=resume_at or None, missed=policy
            )
            return await request.complete(session, operation_id, pause_json(campaign, begun))

    operation = await request.once(work)
    _log("campaign.paused", operation)
    request.deps.closed_gates.forget()
    if begun is None:
        async with request.deps.database.reading() as session:
            begun = await find_pause_under_way(session, request.workspace_id, campaign_gate(request.campaign_id))
    view = await wait_until_paused(request.deps, begun, wait_s) if begun else None
    return await request.answer(operation, pause=view)


def _log(event: str, operation: DoneOperation) -> None:
    """Log an operation that this request has done."""
    if not operation.is_replay:
        log.info(event, campaign_id=operation.campaign_id, operation_id=operation.id)


async def resume(request: CampaignRequest, body: ResumeCampaignBody) -> Answer:
    """End the pause of a campaign, or say what that would do. Raises NotFound, InvalidRequest, Conflict."""
    policy, continuing = read_policy(body), list[str]()
    if body.dry_run:
        with _moves("missed"):
            async with request.deps.database.reading() as session:
                campaign = await require_campaign(session, request.workspace_id, request.campaign_id)
                begun = await _require_pause(session, campaign)
                result = resumed_json(await preview_resume(session, begun, policy), policy)
        return await _answer_preview(request, campaign, result)

    async def work() -> Answer:
        async with request.locked_campaign() as (session, campaign):
            begun = await _require_pause(session, campaign)
            ended = await end_pause(session, begun, policy, timedelta(seconds=body.spacing), request.actor)
            if ended is None:
                raise missed_unsaid(await preview_end(session, begun, None))
            continuing.extend(ended.continuing)
            return await request.complete(session, ended.operation_id or "", resumed_json(ended.resumed, policy))

    with _moves("missed"):
        operation = await request.once(work)
    _log("campaign.resumed", operation)
    request.deps.closed_gates.forget()
    request.deps.delivery.deliver_saved(continuing)
    return await request.answer(operation)


async def shift(request: CampaignRequest, body: ShiftCampaignBody) -> Answer:
    """Move the posts of a campaign, or say what that would do. Raises NotFound, InvalidRequest, Conflict."""
    continuing: list[str] = []
    if body.dry_run:
        with _moves("by"):
            async with request.deps.database.reading() as session:
                campaign = await require_campaign(session, request.workspace_id, request.campaign_id)
                preview = await preview_shift(session, campaign, _read_shift(body, campaign_rules(campaign)))
        return await _answer_preview(request, campaign, preview.as_json())

    async def work() -> Answer:
        async with request.locked_campaign() as (session, campaign):
            effect, operation_id, soon = await shift_campaign(
                session, campaign, _read_shift(body, campaign_rules(campaign)), request.actor
            )
            continuing.extend(soon)
            return await request.complete(session, operation_id, effect.as_json())

    with _moves("by"):
        operation = await request.once(work)
    _log("campaign.shifted", operation)
    request.deps.delivery.deliver_saved(continuing)
    return await request.answer(operation)


@contextmanager
def _moves(param: str) -> Iterator[None]:
    """Raise the error of a refused move, which names a field of the body."""
    try:
        yield
    except MoveRefused as refused:
        raise move_refusal(refused, param) from None


async def _require_pause(session: AsyncSession, campaign: Campaign) -> Pause:
    begun = await find_pause_of_campaign(session, campaign)
    if begun is None:
        raise Conflict(_NOT_PAUSED)
    return begun


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
