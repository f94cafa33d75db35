"""The endpoints under /v1/calendar."""

from litestar import Controller, Response

from api.auth import AUTHENTICATED, FOR_VIEWERS, request_viewer
from api.calendar import calendar_views
from api.calendar.calendar_views import (
    CalendarViewBody,
    CalendarViewEntryView,
    CalendarViewsView,
    DeletedCalendarViewView,
)
from api.calendar.days import MOST_FOLLOWERS, TimelineView, read_changed_days, read_timeline
from api.calendar.plans import FULL, MOST_DAYS, PLANS, read_calendar_query, read_zone
from api.calendar.views import CalendarView
from api.dependencies import Dependencies
from api.endpoint import Endpoint
from api.http.headers import HttpRequest, preferred_wait, respond_tagged
from api.http.operation import Json
from api.http.parameters import IF_NONE_MATCH, prefer_wait, query, required
from api.http.query import Query
from api.posts.listing import FILTERS
from api.views import write_json

_SELECTING = ("status", "campaignId", "platform", "accountId", "tag", "importId", "timezone")
"""The conditions of lists of posts that select those of a calendar, and its time zone."""
_PREFER = prefer_wait("another answer than that of `If-None-Match`", default=0, example=25)
_DATE: Json = {"type": "string", "format": "date"}


class CalendarEndpoints(Controller):
    """The calendar of the workspace of an API key, or as much of it as a calendar view shows."""

    dependencies = FOR_VIEWERS

    @Endpoint(
        route="GET /v1/calendar",
        description=(
            "The posts of each day of a time zone, the soonest first: those with a `scheduledFor`, and those that were "
            "published at once. A day begins and ends with its date in `timezone`, also when clocks change. The answer "
            f"has at most {MOST_DAYS} days and 50 posts of each; `more` counts the others, which `GET /v1/posts` lists."
            " To follow changes, ask again with `If-None-Match` and `Prefer: wait=25`: the answer comes as soon as it "
            "is another one, or is 304 after that time. Changes without an event are seen at its end. The token of a "
            "calendar view also opens it, as far as the view shows it. With `plans=true` each day also has the free "
            "`slots` of queues, the occurrences of series that get their posts later (`planned`), and the `blackouts` "
            "of campaigns and queues."
        ),
        answer=CalendarView,
        errors=("wrongQuery", "dayMissing"),
        has_tag=True,
        reads_query=False,
        parameters=(
            required(query("from", "The first day, an ISO 8601 date.", _DATE, "2030-12-03")),
            required(query("to", f"The last day; at most {MOST_DAYS} days in all.", _DATE, "2030-12-04")),
            *(parameter for parameter in FILTERS if parameter["name"] in _SELECTING),
            query(
                PLANS,
                "Whether days have `slots`, `planned` and `blackouts`; not for calendar views.",
                {"type": "boolean", "default": False},
                True,
            ),
            query(FULL, "Whether one day has its first 1,000 posts.", {"type": "boolean", "default": False}, False),
            IF_NONE_MATCH,
            _PREFER,
        ),
    )
    async def get_calendar(self, request: HttpRequest, workspace_id: str, deps: Dependencies) -> Response[bytes]:
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

    @Endpoint(
        route="GET /v1/campaigns/{campaignId}/timeline",
        answer=TimelineView,
        errors=("wrongQuery", "noSuchCampaign"),
        has_tag=True,
        readers={"timezone": read_zone},
        parameters=(
            query(
                "timezone",
                "The IANA time zone of the days; the campaign's by default.",
                {"type": "string"},
                "Asia/Tokyo",
            ),
            IF_NONE_MATCH,
        ),
    )
    async def get_timeline(
        self, request: HttpRequest, query: Query, campaign_id: str, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Count the posts of a campaign by day.

        The number of its posts on each day, by status and by platform. The token of a calendar view that shows the
        campaign also opens it; if it shows times only, without platforms.
        """
        view = await read_timeline(deps, workspace_id, request_viewer(request), campaign_id, query["timezone"])
        return respond_tagged(request, write_json(view), "application/json", {"Cache-Control": "no-store"})


class CalendarViewEndpoints(Controller):
    """The calendar views of the caller's workspace. No view can make, list or revoke views."""

    dependencies = AUTHENTICATED

    @Endpoint(route="POST /v1/calendar/views", errors=("wrongValue", "campaignUnknown", "tooManyViews"), status=201)
    async def create_calendar_view(
        self, request: HttpRequest, body: CalendarViewBody, workspace_id: str, deps: Dependencies
    ) -> CalendarViewEntryView:
        """Create a calendar view.

        Everybody who has the addresses in the answer may read the calendar there, as a page or in a calendar program,
        until the view is deleted, also after its key has ended. They are answered once. The key needs the scope `read`,
        too.
        """
        return await calendar_views.create(deps, request, workspace_id, body)

    @Endpoint(route="GET /v1/calendar/views")
    async def list_calendar_views(self, workspace_id: str, deps: Dependencies) -> CalendarViewsView:
        """List the calendar views.

        Without their tokens, which are kept nowhere.
        """
        return await calendar_views.list_all(deps, workspace_id)

    @Endpoint(
        route="DELETE /v1/calendar/views/{viewId}",
        errors=("unknownField", "invalidJson", "viewNotFound", "tooLarge", "notJson"),
    )
    async def delete_calendar_view(
        self, view_id: str, workspace_id: str, deps: Dependencies
    ) -> DeletedCalendarViewView:
        """Revoke a calendar view.

        Its page and its feed are refused within a second.
        """
        return await calendar_views.delete(deps, workspace_id, view_id)
