"""The operations that pause, resume and move campaigns, as the API routes them and its document describes them."""

from api.campaigns.pausing_bodies import PauseCampaignBody, ResumeCampaignBody, ShiftCampaignBody
from api.campaigns.views import CampaignView
from api.http.operation import WITH_BODY, Operation
from api.http.parameters import KEY, PREFER_PAUSED, required

_ID = "{campaignId}"
_ERRORS = (*WITH_BODY, "keyMissing", "wrongValue", "keyReused", "noSuchCampaign")

PAUSE_CAMPAIGN = Operation(
    route=f"POST /v1/campaigns/{_ID}/pause",
    description=(
        "Stops the posts of the campaign. It waits up to 10 seconds until `pause.status` is `paused`: from then on no "
        "request that publishes a post of it leaves any process, until the pause ends. Nothing fails, is late or is "
        "unready because of it. A campaign that is paused stays so; `resumeAt` is then changed."
    ),
    answer=CampaignView,
    errors=(*_ERRORS, "campaignEnded"),
    body=PauseCampaignBody,
    body_required=False,
    parameters=(required(KEY), PREFER_PAUSED),
)
RESUME_CAMPAIGN = Operation(
    route=f"POST /v1/campaigns/{_ID}/resume",
    description=(
        "Publishes, moves or skips the posts that were missed, and ends the pause, together. With `dryRun` nothing "
        "changes, and `result` says what would be done."
    ),
    answer=CampaignView,
    errors=(*_ERRORS, "missedUnsaid", "notPaused", "wouldBeInBlackout"),
    body=ResumeCampaignBody,
    body_required=False,
    parameters=(required(KEY),),
)
SHIFT_CAMPAIGN = Operation(
    route=f"POST /v1/campaigns/{_ID}/shift",
    description=(
        "Moves the posts of the campaign that were not sent, drafts with a time and held ones too, all or none: if a "
        "post would be due in the past, in a blackout or outside the campaign's times, nothing moves. `tooLate` names "
        "up to 100 posts whose publishing had begun. Posts of series stay. At most 10,000 posts move at a time."
    ),
    answer=CampaignView,
    errors=(*_ERRORS, "wouldBeInBlackout"),
    body=ShiftCampaignBody,
    parameters=(required(KEY),),
)
