"""The operation on events, as the API routes it and its document describes it."""

from api.events.schemas import FeedView
from api.http.operation import Operation
from api.http.parameters import prefer_wait, query
from api.http.query import MAX_LIMIT
from domain.events import KEPT, EventType

_PREFER = prefer_wait("an event if there is none", default=0, example=25)

LIST_EVENTS = Operation(
    route="GET /v1/events",
    description=(
        "The events of the workspace, the oldest first, each once. Continue with the newest `cursor`: no event is "
        "skipped, however many are written at the same time. The first request lets the workspace listen: only what "
        f"happens from `since` on has events. They are kept for {KEPT.days} days, and the workspace stops listening "
        f"{KEPT.days} days after its events were last read. A cursor that is older is answered 410."
    ),
    answer=FeedView,
    errors=("unknownQuery", "wrongQuery", "cursorExpired"),
    parameters=(
        query(
            "after",
            "The newest `cursor` of an earlier answer, or `now`: only what is committed from now on.",
            {"type": "string"},
            "eyJ4Ijo0MjE3LCJzIjo5MSwidCI6MTc2ODQ3MTIwMH0",
        ),
        {
            **query(
                "type",
                "Only events of this type; may be given several times.",
                {"type": "array", "items": {"type": "string", "enum": list(EventType)}},
                ["post.published"],
            ),
            "style": "form",
            "explode": True,
        },
        query(
            "limit",
            "The most events to return.",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT},
            20,
        ),
        _PREFER,
    ),
)
