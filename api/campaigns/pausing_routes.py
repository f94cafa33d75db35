"""The endpoints under /v1/campaigns that stop the posts of a campaign, let them continue, and move them."""

from collections.abc import Awaitable, Callable

from litestar import Controller, Response
from litestar.params import FromPath
from pydantic import BaseModel

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.campaigns import pausing_operations as operations
from api.campaigns.pausing import pause, resume, shift
from api.campaigns.pausing_bodies import PauseCampaignBody, ResumeCampaignBody, ShiftCampaignBody
from api.campaigns.requests import CampaignRequest
from api.dependencies import Dependencies, Deps
from api.http.body import JsonObject
from api.http.body_validation import read_valid
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import serves
from api.http.request import read_keyed_request
from api.pauses.routes import LONGEST_WAIT_S
from api.posts.answers.answer import Answer
from api.posts.answers.response import respond


class CampaignPauseEndpoints(Controller):
    """Pauses and moves of the campaigns of the caller's workspace. They need neither Temporal nor a worker."""

    dependencies = AUTHENTICATED

    @serves(operations.PAUSE_CAMPAIGN)
    async def pause_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Pause a campaign."""
        preferred = preferred_wait(request)
        wait_s = LONGEST_WAIT_S if preferred is None else min(preferred, LONGEST_WAIT_S)

        async def act(keyed: CampaignRequest, campaign_id: str, payload: JsonObject) -> Answer:
            return await pause(keyed, campaign_id, payload, wait_s)

        return await _respond(request, campaign_id, workspace_id, deps, PauseCampaignBody, act)

    @serves(operations.RESUME_CAMPAIGN)
    async def resume_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """End the pause of a campaign."""
        return await _respond(request, campaign_id, workspace_id, deps, ResumeCampaignBody, resume)

    @serves(operations.SHIFT_CAMPAIGN)
    async def shift_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Move the posts of a campaign."""
        return await _respond(request, campaign_id, workspace_id, deps, ShiftCampaignBody, shift)


async def _respond(
    request: HttpRequest,
    campaign_id: str,
    workspace_id: str,
    deps: Dependencies,
    body: type[BaseModel],
    act: Callable[[CampaignRequest, str, JsonObject], Awaitable[Answer]],
) -> Response[bytes]:
    """Read a request with this body, and respond with what `act` answers."""
    payload, key = await read_keyed_request(request, lambda payload: read_valid(body, payload))
    route = f"{request.method} {request.url.path}"
    keyed = CampaignRequest.from_route(deps, workspace_id, request_actor(request), payload, key, route)
    return respond(await act(keyed, campaign_id, payload))
