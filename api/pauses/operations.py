"""The operations on pauses, as the API routes them and its document describes them."""

from api.http.operation import WITH_BODY, Operation
from api.http.parameters import PREFER_PAUSED, page
from api.pauses.schemas import PauseBody, PausePageView, PauseView, ResumeBody

CREATE_PAUSE = Operation(
    route="POST /v1/pauses",
    description=(
        "Stops all posts of the workspace, or those to one account. It waits up to 10 seconds for `paused`. From then "
        "on no request that publishes a post leaves any process, until the pause ends. Nothing fails, is late or is "
        "unready because of a pause: posts that fall due are held, and their `publishWithin` stands still. 200 is a "
        "pause that was under way already. Edits and first comments of public posts are not stopped."
    ),
    answer=PauseView,
    errors=("wrongScope", *WITH_BODY, "accountNotConnected"),
    status=201,
    other_status=200,
    body=PauseBody,
    parameters=(PREFER_PAUSED,),
)
LIST_PAUSES = Operation(
    route="GET /v1/pauses",
    description="Those that are under way, and those that have ended, the newest first.",
    answer=PausePageView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=page("pauses"),
)
GET_PAUSE = Operation(
    route="GET /v1/pauses/{pauseId}",
    description="With what may still become public, and how many posts fell due and wait for its end.",
    answer=PauseView,
    errors=("unknownQuery", "pauseNotFound"),
)
RESUME_PAUSE = Operation(
    route="POST /v1/pauses/{pauseId}/resume",
    description=(
        "Publishes, moves or skips the posts that were missed, and ends the pause, together. "
        "With `dryRun` nothing changes, and `result` says what would be done. A pause that has ended answers as before."
    ),
    answer=PauseView,
    errors=("missedUnsaid", *WITH_BODY, "pauseNotFound"),
    body=ResumeBody,
    body_required=False,
)
