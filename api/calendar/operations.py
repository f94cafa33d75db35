"""The operations on the calendar, as the API routes them and its document describes them."""

from api.calendar.calendar_views import (
    CalendarViewBody,
    CalendarViewEntryView,
    CalendarViewsView,
    DeletedCalendarViewView,
)
from api.calendar.queries import FULL, MOST_DAYS, PLANS
from api.calendar.timeline import TimelineView
from api.calendar.views import CalendarView
from api.http.operation import WITH_BODY, Json, Operation
from api.http.parameters import IF_NONE_MATCH, prefer_wait, query, required
from api.posts.list_parameters import FILTERS

_SELECTING = ("status", "campaignId", "platform", "accountId", "tag", "importId", "timezone")
"""The conditions of lists of posts that select those of a calendar, and its time zone."""
_PREFER = prefer_wait("another answer than that of `If-None-Match`", default=0, example=25)
_DATE: Json = {"type": "string", "format": "date"}

GET_CALENDAR = Operation(
    route="GET /v1/calendar",
    description=(
        "The posts of each day of a time zone, the soonest first: those with a `scheduledFor`, and those that were "
        "published at once. A day begins and ends with its date in `timezone`, also when clocks change. The answer "
        f"has at most {MOST_DAYS} days and 50 posts of each; `more` counts the others, which `GET /v1/posts` lists. To "
        "follow changes, ask again with `If-None-Match` and `Prefer: wait=25`: the answer comes as soon as it is "
        "another one, or is 304 after that time. Changes without an event are seen at its end. The token of a calendar "
        "view opens it, too, as far as the view shows it. With `plans=true` each day also has the free `slots` of "
        "queues, the occurrences of series that get their posts later (`planned`), and the `blackouts` of campaigns "
        "and queues."
    ),
    answer=CalendarView,
    errors=("unknownQuery", "wrongQuery", "dayMissing"),
    has_tag=True,
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
GET_TIMELINE = Operation(
    route="GET /v1/campaigns/{campaignId}/timeline",
    description=(
        "The number of its posts on each day, by status and by platform. The token of a calendar view that shows the "
        "campaign opens it, too; if it shows times only, without platforms."
    ),
    answer=TimelineView,
    errors=("unknownQuery", "wrongQuery", "noSuchCampaign"),
    has_tag=True,
    parameters=(
        query(
            "timezone", "The IANA time zone of the days; the campaign's by default.", {"type": "string"}, "Asia/Tokyo"
        ),
        IF_NONE_MATCH,
    ),
)
CREATE_VIEW = Operation(
    route="POST /v1/calendar/views",
    description=(
        "Everybody who has the addresses in the answer may read the calendar there, as a page or in a calendar "
        "program, until the view is deleted, also after its key has ended. They are answered once. The key needs the "
        "scope `read`, too."
    ),
    answer=CalendarViewEntryView,
    errors=("wrongValue", *WITH_BODY, "campaignUnknown", "tooManyViews"),
    status=201,
    body=CalendarViewBody,
)
LIST_VIEWS = Operation(
    route="GET /v1/calendar/views",
    description="Without their tokens, which are kept nowhere.",
    answer=CalendarViewsView,
    errors=("unknownQuery",),
)
DELETE_VIEW = Operation(
    route="DELETE /v1/calendar/views/{viewId}",
    description="Its page and its feed are refused within a second.",
    answer=DeletedCalendarViewView,
    errors=("unknownField", "invalidJson", "viewNotFound", "tooLarge", "notJson"),
)
