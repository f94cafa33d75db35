"""The operations that pause, resume and move campaigns, as the API routes them and its document describes them."""

from typing import Any

from api.campaigns import examples
from api.campaigns.pausing_bodies import PauseCampaignBody, ResumeCampaignBody, ShiftCampaignBody
from api.campaigns.views import CampaignView
from api.http.operation import WITH_BODY, Operation
from api.http.parameters import KEY, PREFER_PAUSED, required
from api.pauses.examples import CAMPAIGN_PAUSE

_ID = "{campaignId}"
_RESUMED: dict[str, Any] = {"published": 12, "shifted": 0, "skipped": 0, "stillPaused": 0, "missed": "publish"}
_SHIFTED: dict[str, Any] = {"moved": 9_588, "tooLate": [], "tooLateCount": 0, "seriesKept": 2}
_PAUSED: dict[str, Any] = examples.CAMPAIGN | {"status": "paused", "pause": CAMPAIGN_PAUSE}
_ERRORS = (*WITH_BODY, "keyMissing", "wrongValue", "keyReused", "noSuchCampaign")

PAUSE_CAMPAIGN = Operation(
    route=f"POST /v1/campaigns/{_ID}/pause",
    description=(
        "Stops the posts of the campaign. It waits up to 10 seconds until `pause.status` is `paused`: from then on no "
        "request that publishes a post of it leaves any process, until the pause ends. Nothing fails, is late or is "
        "unready because of it. A campaign that is paused stays so; `resumeAt` is then changed."
    ),
    answer=CampaignView,
    answers={
        "paused": _PAUSED
        | {"operationId": examples.OPERATION_ID, "result": {"since": CAMPAIGN_PAUSE["since"], "reason": None}}
    },
    errors=(*_ERRORS, "campaignEnded"),
    body=PauseCampaignBody,
    bodies={
        "now": {"reason": "The prices are wrong"},
        "until": {"reason": "Press embargo", "resumeAt": "2030-11-21T08:00:00", "missed": "publish"},
    },
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
    answers={
        "resumed": examples.CAMPAIGN | {"operationId": examples.OPERATION_ID, "result": _RESUMED},
        "dryRun": _PAUSED | {"result": _RESUMED},
    },
    errors=(*_ERRORS, "missedUnsaid", "notPaused", "wouldBeInBlackout"),
    body=ResumeCampaignBody,
    bodies={
        "publish": {"missed": "publish", "spacing": 600},
        "shift": {"missed": "shift"},
        "dryRun": {"missed": "skip", "dryRun": True},
    },
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
    answers={
        "shifted": examples.CAMPAIGN | {"operationId": examples.OPERATION_ID, "result": _SHIFTED},
        "dryRun": examples.CAMPAIGN | {"result": _SHIFTED},
    },
    errors=(*_ERRORS, "wouldBeInBlackout"),
    body=ShiftCampaignBody,
    bodies={
        "all": {"by": "P2D"},
        "days": {"by": "P1W", "from": "2030-11-24", "to": "2030-11-30", "dryRun": True},
    },
    parameters=(required(KEY),),
)
