"""The endpoint of events."""

from litestar import Controller, Response

from api.auth import AUTHENTICATED, WorkspaceId
from api.dependencies import Deps
from api.events.feed import read_feed
from api.events.queries import read_feed_query
from api.events.schemas import FeedView
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import Operation
from api.http.parameters import prefer_wait, query
from api.http.query import MAX_LIMIT
from api.views import write_json
from domain.webhooks import KEPT, EventType

_PREFER = prefer_wait("an event if there is none", default=0, example=25)


class EventEndpoints(Controller):
    """The events of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Operation(
        route="GET /v1/events",
        description=(
            "The events of the workspace, the oldest first, each once. Continue with the newest `cursor`: no event is "
            "skipped, however many are written at the same time. The first request lets the workspace listen: only "
            f"what happens from `since` on has events. They are kept for {KEPT.days} days, and the workspace stops "
            f"listening {KEPT.days} days after its events were last read. A cursor that is older is answered 410."
        ),
        answer=FeedView,
        errors=("wrongQuery", "cursorExpired"),
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
    async def list_events(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Read the events, and wait for new ones."""
        query = read_feed_query(request)
        preferred = preferred_wait(request)
        with deps.waiting.deadline(workspace_id, preferred or 0) as deadline:
            view = await read_feed(deps, workspace_id, query, deadline)
        headers = {"Cache-Control": "no-store"}
        if preferred is not None and deadline.granted:
            headers["Preference-Applied"] = f"wait={preferred}"
        return Response(write_json(view), media_type="application/json", headers=headers)
