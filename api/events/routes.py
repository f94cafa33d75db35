"""The endpoint of events."""

from litestar import Controller, Response

from api.auth import AUTHENTICATED
from api.dependencies import Dependencies
from api.endpoint import Endpoint
from api.events.feed import read_after, read_feed
from api.events.schemas import FeedView
from api.http.headers import HttpRequest, preferred_wait
from api.http.parameters import limit, prefer_wait, query
from api.http.query import Query
from api.views import respond_privately
from domain.webhooks import KEPT, EventType


class EventEndpoints(Controller):
    """The events of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Endpoint(
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
            query(
                "type",
                "Only events of this type; may be given several times.",
                {"type": "array", "items": {"type": "string", "enum": list(EventType)}},
                ["post.published"],
                explode=True,
            ),
            limit("events"),
            prefer_wait("an event if there is none", default=0, example=25),
        ),
        readers={"after": read_after},
    )
    async def list_events(
        self, request: HttpRequest, query: Query, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Read the events, and wait for new ones."""
        preferred = preferred_wait(request)
        with deps.waiting.deadline(workspace_id, preferred or 0) as deadline:
            view = await read_feed(deps, workspace_id, query, deadline)
        response = respond_privately(view)
        if preferred is not None and deadline.granted:
            response.headers["Preference-Applied"] = f"wait={preferred}"
        return response
