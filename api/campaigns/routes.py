"""The endpoints under /v1/campaigns."""

import hashlib
from contextlib import nullcontext

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.campaigns import operations
from api.campaigns.changing import change, read_change
from api.campaigns.creating import create_campaign, read_campaign_to_create
from api.campaigns.ending import delete, end, read_unsent
from api.campaigns.lists import list_page, operations_page, read_list_query
from api.campaigns.requests import CampaignRequest, require_campaign, shown_campaigns
from api.campaigns.starting import start
from api.dependencies import Dependencies, Deps
from api.http.body import MAX_BYTES, read_no_body
from api.http.headers import HttpRequest, idempotency_key, required_key
from api.http.large_body import read_large_body
from api.http.operation import serves
from api.http.query import read_query
from api.http.request import read_bare_request, read_head, read_keyed_request
from api.posts.answers.response import respond, respond_privately
from domain.errors import InvalidRequest
from store.posts.idempotency import KeyedRequest

_CREATE = b"POST /v1/campaigns\n"


class CampaignEndpoints(Controller):
    """The campaigns of the caller's workspace. They need neither Temporal nor a worker."""

    dependencies = AUTHENTICATED

    @serves(operations.CREATE_CAMPAIGN)
    async def create_campaign(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create a campaign."""
        key, head_problems = read_head(request)
        if head_problems:
            raise InvalidRequest(head_problems)
        # Decided before the body is read. One without a length may be large.
        length = request.headers.get("content-length", "")
        is_large = not length.isdecimal() or int(length) > MAX_BYTES
        async with deps.imports.take_in_turn(workspace_id) if is_large else nullcontext():
            body = await read_large_body(request, ("application/json",))
            campaign = await read_campaign_to_create(body)
            if campaign.has_posts and key is None:
                required_key(request)
            keyed = key and KeyedRequest(workspace_id, key, hashlib.sha256(_CREATE + body.digest).digest())
            created = CampaignRequest(deps, workspace_id, request_actor(request), keyed or None)
            async with (
                deps.imports.take_in_turn(workspace_id) if campaign.has_posts and not is_large else nullcontext()
            ):
                return respond(await create_campaign(created, campaign))

    @serves(operations.LIST_CAMPAIGNS)
    async def list_campaigns(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List the campaigns."""
        return respond_privately(await list_page(deps, workspace_id, read_list_query(request)))

    @serves(operations.GET_CAMPAIGN)
    async def get_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Get a campaign."""
        read_query(request)
        async with deps.database.reading() as session:
            campaign = await require_campaign(session, workspace_id, campaign_id)
        (view,) = await shown_campaigns(deps, [campaign])
        return respond_privately(view)

    @serves(operations.UPDATE_CAMPAIGN)
    async def update_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Change a campaign."""
        payload, key = await read_keyed_request(request, read_change)
        route = f"PATCH /v1/campaigns/{campaign_id}"
        keyed = CampaignRequest.from_route(deps, workspace_id, request_actor(request), payload, key, route)
        return respond(await change(keyed, campaign_id, payload))

    @serves(operations.DELETE_CAMPAIGN)
    async def delete_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Delete a campaign."""
        unsent = read_unsent(request)
        await read_no_body(request)
        # With another choice it is another request.
        route = f"DELETE /v1/campaigns/{campaign_id}?posts={unsent or ''}"
        keyed = CampaignRequest.from_route(
            deps, workspace_id, request_actor(request), {}, idempotency_key(request), route
        )
        return respond(await delete(keyed, campaign_id, unsent))

    @serves(operations.START_CAMPAIGN)
    async def start_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Start a draft campaign."""
        return respond(await start(await _bare_request(request, campaign_id, workspace_id, deps, "start"), campaign_id))

    @serves(operations.END_CAMPAIGN)
    async def end_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """End a campaign."""
        return respond(await end(await _bare_request(request, campaign_id, workspace_id, deps, "end"), campaign_id))

    @serves(operations.LIST_OPERATIONS)
    async def list_operations(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """List the operations on a campaign."""
        return respond_privately(await operations_page(deps, workspace_id, campaign_id, request))


async def _bare_request(
    request: HttpRequest, campaign_id: str, workspace_id: str, deps: Dependencies, action: str
) -> CampaignRequest:
    """Return a request for an operation that takes no body. Raises InvalidRequest, Unavailable."""
    key = await read_bare_request(request)
    route = f"POST /v1/campaigns/{campaign_id}/{action}"
    return CampaignRequest.from_route(deps, workspace_id, request_actor(request), {}, key, route)
