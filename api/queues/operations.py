"""The operations on queues, as the API routes them and its document describes them."""

from api.http.operation import WITH_BODY, Operation
from api.http.parameters import query
from api.queues.schemas import (
    DeletedQueueView,
    QueueBody,
    QueueListView,
    QueuePatchBody,
    QueueView,
    SlotListView,
)
from domain.queues import MOST_DAYS

_BOUND = {"type": "string", "minLength": 1}
_MEANING = "a date, or a date and time, in the queue's zone if it has no offset"

CREATE_QUEUE = Operation(
    route="POST /v1/queues",
    description=(
        'Weekly times at which the posts of some accounts go out. A post with `"queue": "next"` instead of '
        "`scheduledFor` gets the first free one. Slots are wall times in `timezone`, right on both clock changes."
    ),
    answer=QueueView,
    errors=("queueNameTaken", *WITH_BODY, "accountNotConnected", "accountInAnotherQueue", "tooManyQueues"),
    status=201,
    body=QueueBody,
)
LIST_QUEUES = Operation(
    route="GET /v1/queues",
    description="All queues of the workspace, the oldest first.",
    answer=QueueListView,
    errors=("unknownQuery",),
)
GET_QUEUE = Operation(
    route="GET /v1/queues/{queueId}",
    description="With its slots as they were given; `GET /v1/queues/{queueId}/slots` lists their dates.",
    answer=QueueView,
    errors=("unknownQuery", "queueNotFound"),
)
UPDATE_QUEUE = Operation(
    route="PATCH /v1/queues/{queueId}",
    description=(
        "Posts that wait in the queue keep their times, unless `reflow` is true: then they get new slots in their "
        "order, all of them or none. A new `timezone` needs `reflow` while posts wait."
    ),
    answer=QueueView,
    errors=(
        "queueNameTaken",
        "zoneNeedsReflow",
        *WITH_BODY,
        "accountNotConnected",
        "accountInAnotherQueue",
        "reflowFull",
        "queueNotFound",
    ),
    body=QueuePatchBody,
)
DELETE_QUEUE = Operation(
    route="DELETE /v1/queues/{queueId}",
    description="Posts that wait in it keep their times.",
    answer=DeletedQueueView,
    errors=("unknownField", "invalidJson", "queueNotFound", "tooLarge", "notJson"),
)
LIST_SLOTS = Operation(
    route="GET /v1/queues/{queueId}/slots",
    description=f"The dates of its slots, and the posts that have them; at most {MOST_DAYS} days at once.",
    answer=SlotListView,
    errors=("unknownQuery", "wrongRange", "queueNotFound"),
    parameters=(
        query("from", f"The first instant: {_MEANING}. Now by default.", _BOUND, "2030-12-02"),
        query("to", f"The last instant: {_MEANING}. 30 days later by default.", _BOUND, "2030-12-31"),
    ),
)
