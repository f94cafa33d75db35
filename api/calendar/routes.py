"""The endpoints under /v1/calendar."""

from litestar import Controller, Response

from api.auth import AUTHENTICATED, WorkspaceId
from api.calendar import operations
from api.calendar.days import read_days
from api.calendar.queries import read_calendar_query
from api.dependencies import Deps
from api.http.etags import respond_tagged
from api.http.headers import HttpRequest
from api.http.operation import serves
from api.views import write_json


class CalendarEndpoints(Controller):
    """The calendar of the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(operations.GET_CALENDAR)
    async def get_calendar(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """See the posts of each day."""
        query = read_calendar_query(request)
        view = await read_days(deps, workspace_id, request.state.caller.key_id, query)
        return respond_tagged(request, write_json(view), "application/json", {"Cache-Control": "no-store"})
