"""Changes of campaigns, their end and their deletion: each is done once for its Idempotency-Key."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from api.campaigns.requests import CampaignRequest
from api.campaigns.schemas import NULLABLE, CampaignFieldsBody, DeletedCampaignView, PatchCampaignBody
from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, read
from api.http.moments import read_moment
from api.posts.answers.answer import Answer
from api.posts.bodies.blackouts import read_blackouts
from api.posts.clock import now_ms
from api.views import write_json
from domain.audit import Action, AuditEntry
from domain.campaigns import CampaignStatus, OperationKind, UnsentPosts
from domain.codes import ProblemCode
from domain.errors import Conflict, InvalidRequest, Problem
from domain.schedule import ScheduledTime, UnknownZone, horizon
from store.campaigns.campaigns import (
    CampaignFields,
    Conflicts,
    campaign_fields,
    campaign_status,
    change_campaign,
    lock_conflicts,
    rules_with_fields,
)
from store.campaigns.lifecycle import count_unsent, delete_campaign, end_campaign
from store.pauses.moving import make_drafts
from store.posts.changes import WorkflowOfPost

_MOST_NAMED = 100
"""Posts that are in the way of a change, and that its answer names."""
_ENDED = Problem("The campaign has ended: only its name and its tags can be changed", "campaign_ended")
_ENDED_BEFORE = Problem("The campaign has ended before", "campaign_ended")
_PAUSED = Problem(
    "The campaign is paused, so its posts would not stay as they are: end the pause first, or delete them", "paused"
)


async def change(request: CampaignRequest, body: PatchCampaignBody) -> Answer:
    """Change the fields of a campaign, and what its scheduled posts must become. Raises InvalidRequest, Conflict."""
    now = now_ms()

    async def work() -> Answer:
        async with request.locked_campaign() as (session, campaign):
            if campaign_status(campaign) is CampaignStatus.ENDED and body.model_fields_set - {"name", "tags"}:
                raise Conflict(_ENDED)
            before = campaign_fields(campaign)
            fields = read_fields(body, body.name or before.name, before, now)
            rules = rules_with_fields(campaign.id, campaign_status(campaign), fields)
            conflicts = await lock_conflicts(session, request.workspace_id, rules, now)
            if conflicts.count and body.conflicts != "skip":
                raise Conflict(_conflict_problems(conflicts))
            entry = AuditEntry(Action.CHANGED, request.actor, details=(("campaign", campaign.id),))
            for reason, post_ids in conflicts.by_reason:
                await make_drafts(session, post_ids, reason, entry, now)
            await change_campaign(session, campaign, fields)
            result = {"fields": _changed(before, fields), "skipped": conflicts.count}
            return await request.record(session, OperationKind.CHANGED, result)

    return await request.answer(await request.once(work))


def read_change(payload: JsonObject) -> PatchCampaignBody:
    """Return the body of a change. Raises InvalidRequest."""
    nulls = [name for name in _FIELDS - NULLABLE if name in payload and payload[name] is None]
    body, problems = read(PatchCampaignBody, {name: value for name, value in payload.items() if name not in nulls})
    problems += [
        Problem(f"{name} cannot be null: leave it out to keep it as it is", "invalid_field_value", name)
        for name in nulls
    ]
    if body is None or problems:
        raise InvalidRequest(in_contract_order(PatchCampaignBody, problems))
    return body


_FIELDS = frozenset(field.alias or name for name, field in PatchCampaignBody.model_fields.items())


def _conflict_problems(conflicts: Conflicts) -> list[Problem]:
    """Return a problem for each of the first posts that are in the way, those outside the window first."""
    kinds: tuple[tuple[ProblemCode, str, str, Sequence[str]], ...] = (
        ("posts_outside_window", "endsAt", "outside startsAt and endsAt", conflicts.outside_window),
        ("posts_in_blackout", "blackouts", "in a blackout", conflicts.in_blackout),
    )
    problems = [
        Problem(f"{len(post_ids):,} scheduled posts would lie {where}{_HOW}", code, param, post_id=post_id)
        for code, param, where, post_ids in kinds
        for post_id in post_ids[:_MOST_NAMED]
    ]
    return problems[:_MOST_NAMED]


_HOW = ": move them, or send conflicts: skip"


def _changed(before: CampaignFields, after: CampaignFields) -> list[str]:
    """Return the names of the fields that differ, as clients write them."""
    names = {"name": "name", "tags": "tags", "timezone": "timezone", "starts": "startsAt", "ends": "endsAt"}
    names["blackouts"] = "blackouts"
    return [shown for name, shown in names.items() if getattr(before, name) != getattr(after, name)]


def read_fields(body: CampaignFieldsBody, name: str, before: CampaignFields | None, now: datetime) -> CampaignFields:
    """Return the fields of a campaign: those of a valid body, and the others as they are. Raises InvalidRequest.

    `before`: what the campaign has; None if it is new.
    """
    before = before or CampaignFields(name)
    set_names = body.model_fields_set
    zone = body.timezone or before.timezone
    problems: list[Problem] = []
    starts = _read_time("startsAt", body.starts_at, zone, problems) if "starts_at" in set_names else before.starts
    ends = _read_time("endsAt", body.ends_at, zone, problems) if "ends_at" in set_names else before.ends
    blackouts = read_blackouts(body.blackouts or [], problems) if "blackouts" in set_names else before.blackouts
    if zone != before.timezone:
        starts, ends = _in_zone(starts, zone, problems), _in_zone(ends, zone, problems)
    if ends is not None and ends != before.ends and ends.instant <= now:
        sentence = "endsAt is in the past: to end a campaign now, use POST /v1/campaigns/{campaignId}/end"
        problems.append(Problem(sentence, "invalid_field_value", "endsAt"))
    for param, time in ("startsAt", starts), ("endsAt", ends):
        if time is not None and time.instant > horizon(now):
            problems.append(Problem(f"{param} is more than 5 years ahead", "invalid_field_value", param))
    if starts is not None and ends is not None and starts.instant >= ends.instant:
        problems.append(Problem("endsAt must be after startsAt", "invalid_field_value", "endsAt"))
    if problems:
        raise InvalidRequest(problems)
    tags = tuple(body.tags or ()) if "tags" in set_names else before.tags
    return CampaignFields(name, tags, zone, starts, ends, blackouts)


def _read_time(param: str, text: Any, zone: str, problems: list[Problem]) -> ScheduledTime | None:
    return None if text is None else read_moment(param, text, zone, problems)


def _in_zone(time: ScheduledTime | None, zone: str, problems: list[Problem]) -> ScheduledTime | None:
    try:
        return time and time.in_zone(zone)
    except UnknownZone:
        problems.append(_no_zone(zone))
        return None


def _no_zone(zone: str) -> Problem:
    return Problem(f"The time zone {zone} no longer exists; give another timezone", "invalid_field_value", "timezone")


async def end(request: CampaignRequest) -> Answer:
    """End a campaign, or answer as the first request with this key. Raises NotFound, Conflict."""

    async def work() -> Answer:
        async with request.locked_campaign() as (session, campaign):
            if campaign.status == CampaignStatus.ENDED:
                raise Conflict(_ENDED_BEFORE)
            return await request.complete(session, *await end_campaign(session, campaign, request.actor))

    operation = await request.once(work)
    request.deps.closed_gates.forget()
    return await request.answer(operation)


async def delete(request: CampaignRequest, unsent: UnsentPosts | None) -> Answer:
    """Delete a campaign, or answer as the first request with this key. Raises NotFound, Conflict."""
    with_workflow: list[WorkflowOfPost] = []

    async def work() -> Answer:
        async with request.locked_campaign(alone=True) as (session, campaign):
            count = await count_unsent(session, campaign)
            if count and unsent is None:
                sentence = f"The campaign has {count:,} posts that are not published: say posts=keep or posts=delete"
                raise Conflict(Problem(sentence, "campaign_has_unsent_posts", "posts"))
            if count and unsent is UnsentPosts.KEEP and campaign.status == CampaignStatus.PAUSED:
                raise Conflict(_PAUSED)
            deleted = await delete_campaign(session, campaign, unsent, request.actor)
            with_workflow.extend(deleted.with_workflow)
            return await request.complete(session, deleted.operation_id, deleted.result)

    operation = await request.once(work)
    request.deps.delivery.deliver_deleted(with_workflow)
    request.deps.closed_gates.forget()
    view = DeletedCampaignView(
        id=operation.campaign_id, deleted=True, operationId=operation.id, result=dict(operation.result)
    )
    return Answer(200, write_json(view), replayed=operation.is_replay)
