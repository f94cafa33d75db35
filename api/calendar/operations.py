"""The operations on the calendar, as the API routes them and its document describes them."""

from api.calendar import examples
from api.calendar.queries import MOST_DAYS
from api.calendar.views import CalendarView
from api.http.operation import Json, Operation
from api.http.parameters import IF_NONE_MATCH, query, required
from api.posts.list_parameters import FILTERS

_SELECTING = ("status", "platform", "accountId", "tag", "timezone")
"""The conditions of lists of posts that select those of a calendar, and its time zone."""
_DATE: Json = {"type": "string", "format": "date"}

GET_CALENDAR = Operation(
    route="GET /v1/calendar",
    description=(
        "The posts of each day of a time zone, the soonest first: those with a `scheduledFor`, and those that were "
        "published at once. A day begins and ends with its date in `timezone`, also when clocks change. The answer "
        f"has at most {MOST_DAYS} days and 50 posts of each; `more` counts the others, which `GET /v1/posts` lists. To "
        "follow changes, ask again with `If-None-Match`: 304 says that there are none. Each request counts as 10 "
        "requests of the API key."
    ),
    answer=CalendarView,
    answers={"days": examples.CALENDAR},
    errors=("unknownQuery", "wrongQuery", "dayMissing"),
    has_tag=True,
    parameters=(
        required(query("from", "The first day, an ISO 8601 date.", _DATE, "2030-12-03")),
        required(query("to", f"The last day; at most {MOST_DAYS} days in all.", _DATE, "2030-12-04")),
        *(parameter for parameter in FILTERS if parameter["name"] in _SELECTING),
        IF_NONE_MATCH,
    ),
)
