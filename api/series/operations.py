"""The operations on series, as the API routes them and its document describes them."""

from api.http.operation import WITH_BODY, Operation
from api.http.parameters import KEY, PREFER_PAUSED, page, query, required
from api.pauses.schemas import PauseView
from api.series.bodies import PatchSeriesBody, PauseSeriesBody, PreviewBody, SeriesBody
from api.series.views import (
    DeletedSeriesView,
    OccurrenceListView,
    PreviewView,
    SeriesChangeView,
    SeriesListView,
    SeriesView,
)
from domain.series import AHEAD, LEAST_AHEAD, MOST_AHEAD

_ID = "{seriesId}"
_BOUND = {"type": "string", "maxLength": 40}
_RULE = ("startsTooEarly", "skipMissing", "unsupportedRecurrence", "noOccurrence", *WITH_BODY)

CREATE_SERIES = Operation(
    route="POST /v1/series",
    description=(
        "Posts that recur by a rule. Each occurrence is a post like any other, which can be changed and deleted alone. "
        f"Posts exist {AHEAD.days} days ahead, at least the next {LEAST_AHEAD} and at most {MOST_AHEAD}. Their wall "
        "times stay the same when clocks change."
    ),
    answer=SeriesView,
    errors=(
        "keyMissing",
        *_RULE,
        "campaignUnknown",
        "campaignEnded",
        "tooManySeries",
        "platformRule",
        "keyReused",
    ),
    status=201,
    body=SeriesBody,
    parameters=(required(KEY),),
)
PREVIEW_SERIES = Operation(
    route="POST /v1/series/preview",
    description="The next occurrences of rules, with their instants. Nothing is created.",
    answer=PreviewView,
    errors=_RULE,
    body=PreviewBody,
)
LIST_SERIES = Operation(
    route="GET /v1/series",
    description="The newest first, without their posts.",
    answer=SeriesListView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=(
        query(
            "campaignId",
            "Only series of this campaign.",
            {"type": "string", "minLength": 1},
            "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41",
        ),
        *page("series"),
    ),
)
GET_SERIES = Operation(
    route=f"GET /v1/series/{_ID}",
    description="With the rules in effect, changes to come, and the next occurrences.",
    answer=SeriesView,
    errors=("unknownQuery", "seriesNotFound"),
)
LIST_OCCURRENCES = Operation(
    route=f"GET /v1/series/{_ID}/occurrences",
    description=(
        "Those with posts, those that get one when their time is near, and those that have none, with the reason. "
        "Without `from` and `to`: from now to `madeUntil`. Past occurrences are listed for 400 days."
    ),
    answer=OccurrenceListView,
    errors=("unknownQuery", "wrongQuery", "seriesNotFound"),
    parameters=(
        query("from", "The first day or time, in the series' zone unless it has an offset.", _BOUND, "2030-03-01"),
        query("to", "The last day or the time of the end, at most 366 days later.", _BOUND, "2030-03-31"),
    ),
)
UPDATE_SERIES = Operation(
    route=f"PATCH /v1/series/{_ID}",
    description=(
        "Posts follow the change: new ones are made, others get the new content or time, others are deleted. A post "
        "that was changed by itself stays as it is, and one that was deleted never returns. `from` lets a change begin "
        "later. With `dryRun` the answer says what would be done."
    ),
    answer=SeriesChangeView,
    errors=(*_RULE, "seriesNotFound", "seriesChanged", "platformRule"),
    body=PatchSeriesBody,
)
PAUSE_SERIES = Operation(
    route=f"POST /v1/series/{_ID}/pause",
    description=(
        "No post of the series is sent until it is resumed. Posts that fall due are held. 200 is a pause that was "
        "under way already."
    ),
    answer=PauseView,
    errors=(*WITH_BODY, "seriesNotFound"),
    status=201,
    other_status=200,
    body=PauseSeriesBody,
    body_required=False,
    parameters=(PREFER_PAUSED,),
)
RESUME_SERIES = Operation(
    route=f"POST /v1/series/{_ID}/resume",
    description="Posts that fell due during the pause become drafts with a `skipReason`; the others are sent in time.",
    answer=PauseView,
    errors=("unknownQuery", "seriesNotFound", "seriesNotPaused"),
)
DELETE_SERIES = Operation(
    route=f"DELETE /v1/series/{_ID}",
    description="Posts whose publishing has begun stay. For the others, say `posts`.",
    answer=DeletedSeriesView,
    errors=("unknownQuery", "wrongQuery", "seriesNotFound", "unsentPosts"),
    parameters=(
        query(
            "posts",
            "`keep`: posts that are not sent yet stay, as posts of their own. `delete`: they are deleted. Required if "
            "there are any.",
            {"type": "string", "enum": ["keep", "delete"]},
            "delete",
        ),
    ),
)
