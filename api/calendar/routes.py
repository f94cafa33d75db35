"""The endpoints under /v1/calendar."""

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, FOR_VIEWERS, WorkspaceId, request_viewer
from api.calendar import calendar_views, operations
from api.calendar.calendar_views import CalendarViewBody
from api.calendar.following import MOST_FOLLOWERS, read_changed_days
from api.calendar.queries import read_calendar_query, read_zone
from api.calendar.timeline import read_timeline
from api.dependencies import Deps
from api.http.etags import respond_tagged
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import serves
from api.http.query import read_query
from api.http.request import read_bare_request, read_body
from api.posts.answers.response import respond_privately
from api.views import write_json


class CalendarEndpoints(Controller):
    """The calendar of the workspace of an API key, or as much of it as a calendar view shows."""

    dependencies = FOR_VIEWERS

    @serves(operations.GET_CALENDAR)
    async def get_calendar(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """See the posts of each day, and wait for a change of them."""
        query = read_calendar_query(request)
        # Without the tag of what the caller has, there is nothing to wait for.
        preferred = preferred_wait(request) if "if-none-match" in request.headers else None
        followers = f"{'views' if request_viewer(request) else 'calendars'}.{workspace_id}"
        with deps.waiting.deadline(followers, preferred or 0, MOST_FOLLOWERS) as deadline:
            body = await read_changed_days(deps, request, workspace_id, query, deadline)
        headers = {"Cache-Control": "no-store"}
        if preferred is not None and deadline.granted:
            headers["Preference-Applied"] = f"wait={preferred}"
        return respond_tagged(request, body, "application/json", headers)

    @serves(operations.GET_TIMELINE)
    async def get_timeline(
        self, request: HttpRequest, campaign_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Count the posts of a campaign by day."""
        zone = read_zone(request)
        view = await read_timeline(deps, workspace_id, request_viewer(request), campaign_id, zone)
        return respond_tagged(request, write_json(view), "application/json", {"Cache-Control": "no-store"})


class CalendarViewEndpoints(Controller):
    """The calendar views of the caller's workspace. No view can make, list or revoke views."""

    dependencies = AUTHENTICATED

    @serves(operations.CREATE_VIEW)
    async def create_calendar_view(
        self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Create a calendar view."""
        body = await read_body(request, CalendarViewBody)
        return respond_privately(await calendar_views.create(deps, request, workspace_id, body), 201)

    @serves(operations.LIST_VIEWS)
    async def list_calendar_views(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List the calendar views."""
        read_query(request)
        return respond_privately(await calendar_views.list_all(deps, workspace_id))

    @serves(operations.DELETE_VIEW)
    async def delete_calendar_view(
        self, request: HttpRequest, view_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Revoke a calendar view."""
        await read_bare_request(request)
        return respond_privately(await calendar_views.delete(deps, workspace_id, view_id))
