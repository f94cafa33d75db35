"""The endpoint of events."""

from litestar import Controller, Response

from api.auth import AUTHENTICATED, WorkspaceId
from api.dependencies import Deps
from api.events import operations
from api.events.feed import read_feed
from api.events.queries import read_feed_query
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import serves
from api.views import write_json


class EventEndpoints(Controller):
    """The events of the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(operations.LIST_EVENTS)
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
