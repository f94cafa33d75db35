"""The operations on campaigns, as the API routes them and its document describes them."""

from api.campaigns.bodies import CampaignBody, PatchCampaignBody
from api.campaigns.views import CampaignPageView, CampaignView, DeletedCampaignView, OperationPageView
from api.http.large_body import LARGE_BYTES
from api.http.operation import WITH_BODY, Operation
from api.http.parameters import KEY, KEY_OF_OPERATION, page, query
from domain.campaigns import CampaignStatus, UnsentPosts

_ID = "{campaignId}"

CREATE_CAMPAIGN = Operation(
    route="POST /v1/campaigns",
    description=(
        "Posts join it by their `campaignId`; up to 10,000 are created with it by `posts`, as by an import. Its "
        "`timezone` is their default; they may be due from `startsAt` until `endsAt`, but not in a blackout. Nothing "
        "of it is published in a blackout or from `endsAt` on, whatever happens. The posts of a draft campaign are "
        "drafts until it is started."
    ),
    answer=CampaignView,
    errors=(
        *("missingField", "wrongValue", "invalidJson", "unknownField", "tooLargeImport", "notJson", "keyMissing"),
        *("keyReused", "tooManyCampaigns", "otherImport"),
    ),
    most_bytes=LARGE_BYTES,
    status=201,
    body=CampaignBody,
    parameters=(KEY,),
)
LIST_CAMPAIGNS = Operation(
    route="GET /v1/campaigns",
    description="The newest first, each with its progress.",
    answer=CampaignPageView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=(
        query("status", "Only campaigns of this status.", {"type": "string", "enum": list(CampaignStatus)}, "active"),
        query("tag", "Only campaigns with this tag.", {"type": "string", "minLength": 1}, "bf30"),
        *page("campaigns"),
    ),
)
GET_CAMPAIGN = Operation(
    route=f"GET /v1/campaigns/{_ID}",
    description="With its progress, which is counted at most once a second, and with its pause.",
    answer=CampaignView,
    errors=("unknownQuery", "noSuchCampaign"),
)
UPDATE_CAMPAIGN = Operation(
    route=f"PATCH /v1/campaigns/{_ID}",
    description=(
        "A field that is left out stays as it is; `blackouts` and `tags` are whole lists. Scheduled posts that the new "
        "times would not allow are named (409), or become drafts with `conflicts: skip`. Of a campaign that has ended, "
        "only name and tags can be changed."
    ),
    answer=CampaignView,
    errors=("wrongValue", *WITH_BODY, "noSuchCampaign", "postsOutsideWindow", "postsInBlackout", "keyReused"),
    body=PatchCampaignBody,
    parameters=(KEY,),
)
DELETE_CAMPAIGN = Operation(
    route=f"DELETE /v1/campaigns/{_ID}",
    description=(
        "Deletes the campaign. If it has drafts or posts that are not published yet, `posts` says what becomes of "
        "them: `keep` takes them out of the campaign, `delete` deletes those whose publishing has not begun. Public "
        "posts stay, and keep their `campaignId`."
    ),
    answer=DeletedCampaignView,
    errors=("unknownQuery", "wrongQuery", "noSuchCampaign", "campaignHasUnsentPosts", "campaignPaused", "keyReused"),
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
START_CAMPAIGN = Operation(
    route=f"POST /v1/campaigns/{_ID}/start",
    description=(
        "Schedules the drafts of a draft campaign that have a `scheduledFor`, all of them or none: they are checked as "
        "new posts are, and all problems are listed, each with its `postId`. Drafts without a time stay drafts."
    ),
    answer=CampaignView,
    errors=("unknownQuery", "noSuchCampaign", "notADraft", "draftRefused", "keyMissing", "keyReused"),
    parameters=(KEY_OF_OPERATION,),
)
END_CAMPAIGN = Operation(
    route=f"POST /v1/campaigns/{_ID}/end",
    description=(
        "Ends the campaign for good: posts of which nothing was sent become drafts with `skipReason: campaign_ended`. "
        "A post that is being sent finishes. Targets that have not gone out by then fail with `campaign_ended`, if "
        "others of their post are public. A paused campaign can be ended, too."
    ),
    answer=CampaignView,
    errors=("unknownQuery", "noSuchCampaign", "campaignOver", "keyMissing", "keyReused"),
    parameters=(KEY_OF_OPERATION,),
)
LIST_OPERATIONS = Operation(
    route=f"GET /v1/campaigns/{_ID}/operations",
    description=(
        "Who did what with the campaign, the newest first. It is kept as long as the history of posts, also if the "
        "campaign is deleted."
    ),
    answer=OperationPageView,
    errors=("unknownQuery", "wrongQuery", "noSuchCampaign"),
    parameters=page("operations"),
)
