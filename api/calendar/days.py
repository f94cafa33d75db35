"""The posts of some days."""

from functools import partial

from api.calendar.plans import read_plans
from api.calendar.queries import PLANS, CalendarQuery
from api.calendar.rendering import render_calendar
from api.calendar.restricting import hide, restrict
from api.calendar.views import CalendarView
from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.posts.addresses import thumbnail_url
from api.posts.counts import MOST_COUNTED
from domain.errors import InvalidRequest, Problem
from store.pauses.pauses import list_pauses_under_way
from store.posts.calendar import read_calendar
from store.workspaces.calendar_views import Viewer

MOST_OF_DAY = 50
"""Posts of a day that are shown: more than a person reads at a glance."""
MOST_OF_FULL_DAY = 1_000
MOST_PAUSES = 100
"""Pauses of an answer."""
_TOO_MANY = Problem(
    f"These days have more than {MOST_COUNTED:,} posts: ask for fewer days, or for a status, a tag or an account",
    "invalid_field_value",
    "to",
)

_NOT_FOR_VIEWS = Problem("This calendar view does not show that", "invalid_field_value", PLANS)


async def read_days(
    deps: Dependencies, request: HttpRequest, workspace_id: str, viewer: Viewer | None, query: CalendarQuery
) -> CalendarView:
    """Return a calendar, or what a view shows of it. Raises InvalidRequest if too many posts match, TooManyRequests."""
    if viewer and query.has_plans:
        raise InvalidRequest(_NOT_FOR_VIEWS)
    conditions = restrict(query.conditions, viewer) if viewer else query.conditions
    # Views have a share of their own, so that they do not refuse the requests of their workspace.
    with deps.counts.take(f"views.{workspace_id}" if viewer else workspace_id):
        days = await read_calendar(
            deps.database,
            workspace_id,
            conditions,
            query.beginnings,
            only_account=viewer.account_id if viewer else None,
            most_of_day=MOST_OF_FULL_DAY if query.is_full else MOST_OF_DAY,
            most=MOST_COUNTED,
        )
    if days is None:
        raise InvalidRequest(_TOO_MANY)
    async with deps.database.reading() as session:
        pauses = [pause for pause, _ in await list_pauses_under_way(session, workspace_id, MOST_PAUSES)]
    calendar = await render_calendar(query.zone, query.days, days, pauses, partial(thumbnail_url, deps, request))
    if query.has_plans:
        for day, plans in zip(calendar["days"], await read_plans(deps, workspace_id, query), strict=True):
            day["slots"], day["planned"], day["blackouts"] = plans.slots, plans.planned, plans.blackouts
    return hide(calendar, viewer) if viewer else calendar
