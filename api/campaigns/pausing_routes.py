"""The endpoints under /v1/campaigns that stop the posts of a campaign, let them continue, and move them."""

from collections.abc import Awaitable, Callable

from litestar import Controller, Response
from litestar.params import FromPath
from pydantic import BaseModel

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.campaigns.pausing import pause, resume, shift
from api.campaigns.pausing_bodies import PauseCampaignBody, ResumeCampaignBody, ShiftCampaignBody
from api.campaigns.requests import CampaignRequest
from api.campaigns.views import CampaignView
from api.dependencies import Dependencies, Deps
from api.http.body import JsonObject
from api.http.body_validation import read_valid
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import Operation
from api.http.parameters import KEY, PREFER_PAUSED, required
from api.http.request import read_keyed_request
from api.pauses.routes import LONGEST_WAIT_S
from api.posts.answers.answer import Answer
from api.posts.answers.response import respond

_ID = "{campaignId}"
_ERRORS = ("wrongValue", "noSuchCampaign")


class CampaignPauseEndpoints(Controller):
    """Pauses and moves of the campaigns of the caller's workspace. They need neither Temporal nor a worker."""

    dependencies = AUTHENTICATED

    @Operation(
        route=f"POST /v1/campaigns/{_ID}/pause",
        answer=CampaignView,
        errors=(*_ERRORS, "campaignEnded"),
        body=PauseCampaignBody,
        body_required=False,
        parameters=(required(KEY), PREFER_PAUSED),
    )
    async def pause_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Pause a campaign.

        Stops the posts of the campaign. It waits up to 10 seconds until `pause.status` is `paused`: from then on no
        request that publishes a post of it leaves any process, until the pause ends. Nothing fails, is late or is
        unready because of it. A campaign that is paused stays so; `resumeAt` is then changed.
        """
        preferred = preferred_wait(request)
        wait_s = LONGEST_WAIT_S if preferred is None else min(preferred, LONGEST_WAIT_S)

        async def act(keyed: CampaignRequest, campaign_id: str, payload: JsonObject) -> Answer:
            return await pause(keyed, campaign_id, payload, wait_s)

        return await _respond(request, campaign_id, workspace_id, deps, PauseCampaignBody, act)

    @Operation(
        route=f"POST /v1/campaigns/{_ID}/resume",
        answer=CampaignView,
        errors=(*_ERRORS, "missedUnsaid", "notPaused", "wouldBeInBlackout"),
        body=ResumeCampaignBody,
        body_required=False,
        parameters=(required(KEY),),
    )
    async def resume_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """End the pause of a campaign.

        Publishes, moves or skips the posts that were missed, and ends the pause, together. With `dryRun` nothing
        changes, and `result` says what would be done.
        """
        return await _respond(request, campaign_id, workspace_id, deps, ResumeCampaignBody, resume)

    @Operation(
        route=f"POST /v1/campaigns/{_ID}/shift",
        answer=CampaignView,
        errors=(*_ERRORS, "wouldBeInBlackout"),
        body=ShiftCampaignBody,
        parameters=(required(KEY),),
    )
    async def shift_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Move the posts of a campaign.

        Moves the posts of the campaign that were not sent, drafts with a time and held ones too, all or none: if a post
        would be due in the past, in a blackout or outside the campaign's times, nothing moves. `tooLate` names up to
        100 posts whose publishing had begun. Posts of series stay. At most 10,000 posts move at a time.
        """
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
