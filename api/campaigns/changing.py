"""Changes of campaigns."""

from collections.abc import Sequence

from api.campaigns.bodies import NULLABLE, PatchCampaignBody
from api.campaigns.reading import read_fields
from api.campaigns.requests import CampaignRequest
from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, read
from api.posts.answers.answer import Answer
from api.posts.clock import now_ms
from domain.audit import Action, AuditEntry
from domain.campaigns import CampaignStatus, OperationKind
from domain.codes import ProblemCode
from domain.errors import Conflict, InvalidRequest, Problem
from store.campaigns.campaigns import (
    CampaignFields,
    Conflicts,
    campaign_fields,
    campaign_status,
    change_campaign,
    lock_conflicts,
    rules_with_fields,
)
from store.pauses.moving import make_drafts

_MOST_NAMED = 100
"""Posts that are in the way of a change, and that its answer names."""
_ENDED = Problem("The campaign has ended: only its name and its tags can be changed", "campaign_ended")


async def change(request: CampaignRequest, campaign_id: str, payload: JsonObject) -> Answer:
    """Change the fields of a campaign, and what its scheduled posts must become. Raises InvalidRequest, Conflict."""
    body, now = read_change(payload), now_ms()
    async with request.deps.database.transaction() as session:
        operation = await request.known(session)
        if operation is None:
            campaign = await request.locked_campaign(session, campaign_id)
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
            operation = await request.record(session, campaign.id, OperationKind.CHANGED, result)
    return await request.answer(operation)


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
