"""Requests about campaigns: an operation is done once for its Idempotency-Key, and answered with the campaign."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.campaigns.schemas import CampaignPageView, CampaignView, OperationPageView, campaign_view, operation_view
from api.dependencies import Dependencies
from api.http.cursors import cut_page
from api.http.query import Query
from api.pauses.actions import pause_view
from api.pauses.schemas import PauseView
from api.posts.answers.answer import Answer
from api.posts.once import complete, once, take_key
from api.views import write_json
from domain.audit import Actor
from domain.campaigns import CampaignStatus, OperationKind
from domain.errors import Conflict, NotFound, Problem
from domain.ids import is_campaign_id
from domain.pauses import MissedPolicy, campaign_gate
from domain.schedule import rfc3339
from store.audit import names_of_keys
from store.campaigns.campaigns import list_campaigns, lock_campaign
from store.campaigns.operations import list_operations, record_operation
from store.models import Campaign
from store.pauses.pauses import find_pause_under_way
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
