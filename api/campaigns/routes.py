"""The endpoints under /v1/campaigns."""

import hashlib
from contextlib import nullcontext
from functools import partial

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.campaigns.actions import create_campaign, pause, read_campaign_to_create, resume, shift, start
from api.campaigns.requests import (
    CampaignRequest,
    change,
    delete,
    end,
    list_page,
    operations_page,
    read_change,
    require_campaign,
    shown_campaigns,
)
from api.campaigns.schemas import (
    CampaignBody,
    CampaignPageView,
    CampaignView,
    DeletedCampaignView,
    OperationPageView,
    PatchCampaignBody,
    PauseCampaignBody,
    ResumeCampaignBody,
    ShiftCampaignBody,
)
from api.dependencies import Dependencies, Deps
from api.endpoint import Endpoint
from api.http.body import LARGE_BYTES, MAX_BYTES, read_large_body
from api.http.body_validation import read_valid
from api.http.headers import HttpRequest, idempotency_key, required_key
from api.http.operation import Operation
from api.http.parameters import KEY, KEY_OF_OPERATION, PREFER_PAUSED, page, query, required
from api.http.query import Query
from api.http.request import read_head
from api.pauses.routes import pause_wait
from api.posts.answers.rendering import respond
from api.posts.once import key_of_request, read_once
from domain.campaigns import CampaignStatus, UnsentPosts
from domain.errors import InvalidRequest
from domain.ids import new_id
from store.posts.idempotency import KeyedRequest

_ID = "{campaignId}"

_CREATE = b"POST /v1/campaigns\n"


class CampaignEndpoints(Controller):
    """The campaigns of the caller's workspace. They need neither Temporal nor a worker."""

    dependencies = AUTHENTICATED

    @Operation(
        route="POST /v1/campaigns",
        answer=CampaignView,
        errors=(
            "keyMissing",
            *("missingField", "wrongValue", "invalidJson", "unknownField", "tooLargeImport", "notJson"),
            *("tooManyCampaigns", "otherImport"),
        ),
        most_bytes=LARGE_BYTES,
        status=201,
        body=CampaignBody,
        parameters=(KEY,),
    )
    async def create_campaign(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create a campaign.

        Posts join it by their `campaignId`; up to 10,000 are created with it by `posts`, as by an import. Its
        `timezone` is their default; they may be due from `startsAt` until `endsAt`, but not in a blackout. Nothing of
        it is published in a blackout or from `endsAt` on, whatever happens. The posts of a draft campaign are drafts
        until it is started.
        """
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
            created = CampaignRequest(deps, workspace_id, request_actor(request), keyed or None, new_id("cmp"))
            async with (
                deps.imports.take_in_turn(workspace_id) if campaign.has_posts and not is_large else nullcontext()
            ):
                return respond(await create_campaign(created, campaign))

    @Endpoint(
        route="GET /v1/campaigns",
        errors=("wrongQuery",),
        parameters=(
            query(
                "status", "Only campaigns of this status.", {"type": "string", "enum": list(CampaignStatus)}, "active"
            ),
            query("tag", "Only campaigns with this tag.", {"type": "string", "minLength": 1}, "bf30"),
            *page("campaigns"),
        ),
    )
    async def list_campaigns(self, query: Query, workspace_id: str, deps: Dependencies) -> CampaignPageView:
        """List the campaigns.

        The newest first, each with its progress.
        """
        return await list_page(deps, workspace_id, query)

    @Endpoint(route=f"GET /v1/campaigns/{_ID}", errors=("noSuchCampaign",))
    async def get_campaign(self, campaign_id: str, workspace_id: str, deps: Dependencies) -> CampaignView:
        """Get a campaign.

        With its progress, which is counted at most once a second, and with its pause.
        """
        async with deps.database.reading() as session:
            campaign = await require_campaign(session, workspace_id, campaign_id)
        (view,) = await shown_campaigns(deps, [campaign])
        return view

    @Operation(
        route=f"PATCH /v1/campaigns/{_ID}",
        answer=CampaignView,
        errors=("wrongValue", "noSuchCampaign", "postsOutsideWindow", "postsInBlackout"),
        body=PatchCampaignBody,
        parameters=(KEY,),
    )
    async def update_campaign(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Change a campaign.

        A field that is left out stays as it is; `blackouts` and `tags` are whole lists. Scheduled posts that the new
        times would not allow are named (409), or become drafts with `conflicts: skip`. Of a campaign that has ended,
        only name and tags can be changed.
        """
        body, keyed = await read_once(request, workspace_id, read_change)
        return respond(await change(_operation(request, campaign_id, workspace_id, deps, keyed), body))

    @Endpoint(
        route=f"DELETE /v1/campaigns/{_ID}",
        answer=DeletedCampaignView,
        errors=("wrongQuery", "noSuchCampaign", "campaignHasUnsentPosts", "campaignPaused"),
        parameters=(
            KEY,
            query(
                "posts",
                "What becomes of its drafts and of its posts that are not published yet.",
                {"type": "string", "enum": list(UnsentPosts)},
                "delete",
            ),
        ),
    )
    async def delete_campaign(
        self, request: HttpRequest, query: Query, campaign_id: str, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Delete a campaign.

        Deletes the campaign. If it has drafts or posts that are not published yet, `posts` says what becomes of them:
        `keep` takes them out of the campaign, `delete` deletes those whose publishing has not begun. Public posts stay,
        and keep their `campaignId`.
        """
        unsent = query["posts"]
        # With another choice it is another request.
        keyed = key_of_request(request, workspace_id, idempotency_key(request), {"posts": unsent})
        return respond(await delete(_operation(request, campaign_id, workspace_id, deps, keyed), unsent))

    @Endpoint(
        route=f"POST /v1/campaigns/{_ID}/start",
        answer=CampaignView,
        errors=("noSuchCampaign", "notADraft", "draftRefused"),
        parameters=(KEY_OF_OPERATION,),
    )
    async def start_campaign(
        self, request: HttpRequest, campaign_id: str, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Start a draft campaign.

        Schedules the drafts of a draft campaign that have a `scheduledFor`, all of them or none: they are checked as
        new posts are, and all problems are listed, each with its `postId`. Drafts without a time stay drafts.
        """
        keyed = key_of_request(request, workspace_id, idempotency_key(request), {})
        return respond(await start(_operation(request, campaign_id, workspace_id, deps, keyed)))

    @Endpoint(
        route=f"POST /v1/campaigns/{_ID}/end",
        answer=CampaignView,
        errors=("noSuchCampaign", "campaignOver"),
        parameters=(KEY_OF_OPERATION,),
    )
    async def end_campaign(
        self, request: HttpRequest, campaign_id: str, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """End a campaign.

        Ends the campaign for good: posts of which nothing was sent become drafts with `skipReason: campaign_ended`. A
        post that is being sent finishes. Targets that have not gone out by then fail with `campaign_ended`, if others
        of their post are public. A paused campaign can also be ended.
        """
        keyed = key_of_request(request, workspace_id, idempotency_key(request), {})
        return respond(await end(_operation(request, campaign_id, workspace_id, deps, keyed)))

    @Endpoint(
        route=f"GET /v1/campaigns/{_ID}/operations",
        errors=("wrongQuery", "noSuchCampaign"),
        parameters=page("operations"),
    )
    async def list_operations(
        self, query: Query, campaign_id: str, workspace_id: str, deps: Dependencies
    ) -> OperationPageView:
        """List the operations on a campaign.

        Who did what with the campaign, the newest first. It is kept as long as the history of posts, also if the
        campaign is deleted.
        """
        return await operations_page(deps, workspace_id, campaign_id, query)

    @Operation(
        route=f"POST /v1/campaigns/{_ID}/pause",
        answer=CampaignView,
        errors=("wrongValue", "noSuchCampaign", "campaignEnded"),
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
        body, keyed = await read_once(request, workspace_id, partial(read_valid, PauseCampaignBody))
        operation = _operation(request, campaign_id, workspace_id, deps, keyed)
        return respond(await pause(operation, body, pause_wait(request)))

    @Operation(
        route=f"POST /v1/campaigns/{_ID}/resume",
        answer=CampaignView,
        errors=("wrongValue", "noSuchCampaign", "missedUnsaid", "notPaused", "wouldBeInBlackout"),
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
        body, keyed = await read_once(request, workspace_id, partial(read_valid, ResumeCampaignBody))
        return respond(await resume(_operation(request, campaign_id, workspace_id, deps, keyed), body))

    @Operation(
        route=f"POST /v1/campaigns/{_ID}/shift",
        answer=CampaignView,
        errors=("wrongValue", "noSuchCampaign", "wouldBeInBlackout"),
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
        body, keyed = await read_once(request, workspace_id, partial(read_valid, ShiftCampaignBody))
        return respond(await shift(_operation(request, campaign_id, workspace_id, deps, keyed), body))


def _operation(
    request: HttpRequest, campaign_id: str, workspace_id: str, deps: Dependencies, keyed: KeyedRequest | None
) -> CampaignRequest:
    return CampaignRequest(deps, workspace_id, request_actor(request), keyed, campaign_id)
