"""Requests for operations on campaigns: each is done once for its Idempotency-Key, and answered with the campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncSession

from api.campaigns.views import CampaignView, campaign_view
from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.pauses.actions import pause_view
from api.pauses.schemas import PauseView
from api.posts.answers.answer import Answer
from api.posts.changes.idempotency import REUSED, keyed_request
from api.views import write_json
from domain.audit import Actor
from domain.campaigns import CampaignStatus, OperationKind
from domain.errors import Conflict, IdempotencyKeyReused, NotFound, Problem
from domain.ids import is_campaign_id
from domain.pauses import MissedPolicy, campaign_gate
from domain.schedule import rfc3339
from store.campaigns.campaigns import find_campaign, lock_campaign
from store.campaigns.operations import OtherRequestError, find_operation, record_operation
from store.models import Campaign
from store.pauses.pauses import find_pause_under_way
from store.posts.idempotency import KeyedRequest
from store.series.rows import count_by_campaign

NO_SUCH_CAMPAIGN = Problem("This workspace has no such campaign", "not_found")


@dataclass(frozen=True, slots=True)
class DoneOperation:
    """An operation that is recorded: by this request, or by an earlier one with its key."""

    id: str
    campaign_id: str
    result: Mapping[str, Any]
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class CampaignRequest:
    """A client's request for an operation. `keyed` names the use of its Idempotency-Key; None without a key."""

    deps: Dependencies
    workspace_id: str
    actor: Actor
    keyed: KeyedRequest | None

    @classmethod
    def from_route(
        cls, deps: Dependencies, workspace_id: str, actor: Actor, payload: JsonObject, key: str | None, route: str
    ) -> Self:
        """Return the request that a method and a path ask for with this body."""
        return cls(deps, workspace_id, actor, keyed_request(workspace_id, key, payload, route))

    async def known(self, session: AsyncSession) -> DoneOperation | None:
        """Return the operation that an earlier request with this key has done. Raises IdempotencyKeyReused.

        It is the first statement of the transaction, as `find_operation`.
        """
        try:
            operation = await find_operation(session, self.keyed)
        except OtherRequestError:
            raise IdempotencyKeyReused(REUSED) from None
        if operation is None:
            return None
        return DoneOperation(operation.id, operation.campaign_id or "", operation.result, is_replay=True)

    async def locked_campaign(self, session: AsyncSession, campaign_id: str, *, alone: bool = False) -> Campaign:
        """Lock a campaign as `lock_campaign` does. Raises NotFound."""
        campaign = None
        if is_campaign_id(campaign_id):
            campaign = await lock_campaign(session, self.workspace_id, campaign_id, alone=alone)
        if campaign is None:
            raise NotFound(NO_SUCH_CAMPAIGN)
        return campaign

    async def record(
        self, session: AsyncSession, campaign_id: str, kind: OperationKind, result: Mapping[str, Any]
    ) -> DoneOperation:
        """Record the operation in the transaction that does it."""
        operation_id = await record_operation(
            session, self.workspace_id, kind, self.actor, result, campaign_id=campaign_id, request=self.keyed
        )
        return DoneOperation(operation_id, campaign_id, result)

    async def answer(self, operation: DoneOperation, status: int = 200) -> Answer:
        """Answer with the campaign as it is now, and with the result of the operation. Raises Conflict."""
        async with self.deps.database.reading() as session:
            campaign = await find_campaign(session, self.workspace_id, operation.campaign_id)
        if campaign is None:
            raise Conflict(_DELETED)
        if not operation.is_replay:
            # The last count is of the time before.
            self.deps.campaign_progress.forget(campaign.id)
        (view,) = await shown_campaigns(self.deps, [campaign])
        view["operationId"], view["result"] = operation.id, dict(operation.result)
        return Answer(status, write_json(view), replayed=operation.is_replay)


_DELETED = Problem("The campaign of this Idempotency-Key was deleted; a new request needs a new key", "conflict")


async def require_campaign(session: AsyncSession, workspace_id: str, campaign_id: str) -> Campaign:
    """Return a campaign of the workspace. Raises NotFound."""
    campaign = await find_campaign(session, workspace_id, campaign_id) if is_campaign_id(campaign_id) else None
    if campaign is None:
        raise NotFound(NO_SUCH_CAMPAIGN)
    return campaign


async def shown_campaigns(deps: Dependencies, campaigns: Sequence[Campaign]) -> list[CampaignView]:
    """Return campaigns of one workspace as clients read them, with their progress, series and pauses.

    The caller holds no session: the progress is counted by a connection of its own.
    """
    if not campaigns:
        return []
    ids = [campaign.id for campaign in campaigns]
    progress = await deps.campaign_progress.read(ids)
    async with deps.database.reading() as session:
        series = await count_by_campaign(session, campaigns[0].workspace_id, ids)
        pauses = await _read_pauses(session, campaigns)
    return [
        campaign_view(campaign, progress[campaign.id], series.get(campaign.id, 0), pauses.get(campaign.id))
        for campaign in campaigns
    ]


async def _read_pauses(session: AsyncSession, campaigns: Sequence[Campaign]) -> dict[str, PauseView]:
    """Return the pauses of campaigns by the campaigns' ids."""
    views = {}
    for campaign in campaigns:
        if campaign.status != CampaignStatus.PAUSED:
            continue
        begun = await find_pause_under_way(session, campaign.workspace_id, campaign_gate(campaign.id))
        if begun is not None:
            view = views[campaign.id] = await pause_view(session, begun)
            if campaign.resume_at is not None and campaign.resume_missed is not None:
                view["resumeAt"] = rfc3339(campaign.resume_at)
                view["resumeMissed"] = MissedPolicy(campaign.resume_missed)
    return views
