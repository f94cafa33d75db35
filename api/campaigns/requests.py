"""Requests about campaigns: an operation, such as a change, is done once for its key and answered with the campaign."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.campaigns.schemas import (
    NULLABLE,
    CampaignFieldsBody,
    CampaignPageView,
    CampaignView,
    DeletedCampaignView,
    OperationPageView,
    PatchCampaignBody,
    campaign_view,
    operation_view,
)
from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, read
from api.http.moments import now_ms, read_moment
from api.http.query import Query, cut_page
from api.pauses.actions import pause_view
from api.pauses.schemas import PauseView
from api.posts.answers.rendering import Answer
from api.posts.bodies.blackouts import read_blackouts
from api.posts.once import complete, once, take_key
from api.views import write_json
from domain.audit import Action, Actor, AuditEntry
from domain.campaigns import CampaignStatus, OperationKind, UnsentPosts
from domain.codes import ProblemCode
from domain.errors import Conflict, InvalidRequest, NotFound, Problem
from domain.ids import is_campaign_id
from domain.pauses import MissedPolicy, campaign_gate
from domain.schedule import ScheduledTime, UnknownZone, horizon, rfc3339
from store.audit import names_of_keys
from store.campaigns.campaigns import (
    CampaignFields,
    Conflicts,
    campaign_fields,
    campaign_status,
    change_campaign,
    list_campaigns,
    lock_campaign,
    lock_conflicts,
    rules_with_fields,
)
from store.campaigns.lifecycle import count_unsent, delete_campaign, end_campaign
from store.campaigns.operations import list_operations, record_operation
from store.models import Campaign
from store.pauses.moving import make_drafts
from store.pauses.pauses import find_pause_under_way
from store.posts.changes import WorkflowOfPost
from store.posts.idempotency import KeyedRequest
from store.rows import find_row
from store.series.rows import count_by_campaign

_NO_SUCH_CAMPAIGN = Problem("This workspace has no such campaign", "not_found")
_DELETED = Problem("The campaign of this Idempotency-Key was deleted; a new request needs a new key", "conflict")


@dataclass(frozen=True, slots=True)
class DoneOperation:
    """An operation that is recorded: by this request, or by an earlier one with its key."""

    id: str
    result: Mapping[str, Any]
    campaign_id: str
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class CampaignRequest:
    """A client's request for an operation. `keyed` names the use of its Idempotency-Key; None without a key."""

    deps: Dependencies
    workspace_id: str
    actor: Actor
    keyed: KeyedRequest | None
    campaign_id: str

    async def once(self, work: Callable[[], Awaitable[Answer]], *, is_costly: bool = False) -> DoneOperation:
        """Return the operation that `work` does, or that an earlier request with this key has done.

        `work` is as of `api.posts.once.once`. Its transaction is `transaction` or `locked_campaign`, and ends with
        `complete`. Raises what `once` does.
        """
        answer = await once(self.deps, self.keyed, self.campaign_id, work, is_costly=is_costly)
        operation_id, result, campaign_id = json.loads(answer.body)
        return DoneOperation(operation_id, result, campaign_id, answer.replayed)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open the transaction of the operation, which takes the key. Raises KeyTakenError."""
        async with self.deps.database.transaction() as session:
            await take_key(session, self.keyed, self.campaign_id)
            yield session

    @asynccontextmanager
    async def locked_campaign(self, *, alone: bool = False) -> AsyncIterator[tuple[AsyncSession, Campaign]]:
        """Open the transaction of the operation, and lock its campaign as `lock_campaign` does. Raises NotFound."""
        async with self.transaction() as session:
            campaign = None
            if is_campaign_id(self.campaign_id):
                campaign = await lock_campaign(session, self.workspace_id, self.campaign_id, alone=alone)
            if campaign is None:
                raise NotFound(_NO_SUCH_CAMPAIGN)
            yield session, campaign

    async def complete(self, session: AsyncSession, operation_id: str, result: Mapping[str, Any]) -> Answer:
        """Keep the result of an operation, for as long as the operation is kept."""
        operation = json.dumps([operation_id, result, self.campaign_id])
        return await complete(session, self.keyed, Answer(200, operation.encode()), operation_id)

    async def record(self, session: AsyncSession, kind: OperationKind, result: Mapping[str, Any]) -> Answer:
        """Record the operation in the transaction that does it, and keep its result."""
        operation_id = await record_operation(
            session, self.workspace_id, kind, self.actor, result, campaign_id=self.campaign_id
        )
        return await self.complete(session, operation_id, result)

    async def answer(self, operation: DoneOperation, status: int = 200, pause: PauseView | None = None) -> Answer:
        """Answer with the campaign as it is now, and with the result of the operation. Raises Conflict.

        `pause` is the campaign's, if it was read.
        """
        async with self.deps.database.reading() as session:
            campaign = await find_row(session, Campaign, self.workspace_id, operation.campaign_id)
        if campaign is None:
            raise Conflict(_DELETED)
        if not operation.is_replay:
            # The last count is of the time before.
            self.deps.campaign_progress.forget(campaign.id)
        (view,) = await shown_campaigns(self.deps, [campaign], pause)
        view["operationId"], view["result"] = operation.id, dict(operation.result)
        return Answer(status, write_json(view), replayed=operation.is_replay)


async def require_campaign(session: AsyncSession, workspace_id: str, campaign_id: str) -> Campaign:
    """Return a campaign of the workspace. Raises NotFound."""
    campaign = await find_row(session, Campaign, workspace_id, campaign_id) if is_campaign_id(campaign_id) else None
    if campaign is None:
        raise NotFound(_NO_SUCH_CAMPAIGN)
    return campaign


async def shown_campaigns(
    deps: Dependencies, campaigns: Sequence[Campaign], pause: PauseView | None = None
) -> list[CampaignView]:
    """Return campaigns of one workspace as clients read them, with their progress, series and pauses.

    The caller holds no session: the progress is counted by a connection of its own. `pause` is the pause of the only
    campaign, if it was read.
    """
    if not campaigns:
        return []
    ids = [campaign.id for campaign in campaigns]
    progress = await deps.campaign_progress.read(ids)
    async with deps.database.reading() as session:
        series = await count_by_campaign(session, campaigns[0].workspace_id, ids)
        pauses = {campaign.id: await _read_pause(session, campaign, pause) for campaign in campaigns}
    return [
        campaign_view(campaign, progress[campaign.id], series.get(campaign.id, 0), pauses[campaign.id])
        for campaign in campaigns
    ]


async def _read_pause(session: AsyncSession, campaign: Campaign, pause: PauseView | None) -> PauseView | None:
    if campaign.status != CampaignStatus.PAUSED:
        return None
    if pause is None:
        row = await find_pause_under_way(session, campaign.workspace_id, campaign_gate(campaign.id))
        if row is None:
            return None
        pause = await pause_view(session, row)
    if campaign.resume_at is not None and campaign.resume_missed is not None:
        pause["resumeAt"] = rfc3339(campaign.resume_at)
        pause["resumeMissed"] = MissedPolicy(campaign.resume_missed)
    return pause


async def list_page(deps: Dependencies, workspace_id: str, query: Query) -> CampaignPageView:
    """Return a page of the campaigns of a workspace."""
    chosen = {"before_id": query["cursor"], "status": query["status"], "tag": query["tag"]}
    async with deps.database.reading() as session:
        rows = await list_campaigns(session, workspace_id, query["limit"] + 1, **chosen)
    campaigns, cursor = cut_page(rows, query["limit"])
    views = await shown_campaigns(deps, campaigns)
    return CampaignPageView(campaigns=views, cursor=cursor, hasMore=cursor is not None)


async def operations_page(deps: Dependencies, workspace_id: str, campaign_id: str, query: Query) -> OperationPageView:
    """Return a page of the operations on a campaign, also on one that was deleted. Raises NotFound."""
    if not is_campaign_id(campaign_id):
        raise NotFound(_NO_SUCH_CAMPAIGN)
    async with deps.database.reading() as session:
        rows = await list_operations(
            session, workspace_id, query["limit"] + 1, campaign_id=campaign_id, before_id=query["cursor"]
        )
        if not rows:
            await require_campaign(session, workspace_id, campaign_id)
        names = await names_of_keys(session, (operation.actor_id for operation in rows))
    operations, cursor = cut_page(rows, query["limit"])
    views = [operation_view(operation, names) for operation in operations]
    return OperationPageView(operations=views, cursor=cursor, hasMore=cursor is not None)


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
