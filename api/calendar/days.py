"""The posts of some days, as much of them as a calendar view shows, and the timeline of a campaign."""

import asyncio
import random
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated, cast

from typing_extensions import TypedDict

from api.auth import readmit, request_viewer
from api.calendar.plans import PLANS, CalendarQuery, read_plans
from api.calendar.views import CalendarPauseView, CalendarPostView, CalendarView, render_calendar
from api.dependencies import Dependencies, thumbnail_url
from api.events.feed import listen
from api.http.body import JsonObject
from api.http.headers import HttpRequest, entity_tag, has_current
from api.posts.counts import MOST_COUNTED
from api.posts.listing import parse_zone
from api.shared.waiting import Deadline
from api.views import described, example, view, write_json
from domain.errors import InvalidRequest, NotFound, Problem, TooManyRequests, Unavailable
from domain.pauses import PauseScope
from domain.schedule import day_beginning
from domain.workspaces import ViewDetail
from store.campaigns.progress import count_days, read_period
from store.models import Campaign
from store.pauses.pauses import list_pauses_under_way
from store.posts.calendar import read_calendar
from store.posts.list_filters import Filter
from store.rows import find_row
from store.workspaces.calendar_views import Viewer

_SHOWN = {ViewDetail.TITLE: {"dueAt", "waitsFor", "moreTargets"}, ViewDetail.BUSY: {"dueAt"}}
"""What a view shows of a post beside the fields that every post has."""


def restrict(conditions: Filter, viewer: Viewer) -> Filter:
    """Return conditions that select only what a view shows. Raises InvalidRequest if they ask for something else."""
    problems = [
        Problem("This calendar view does not show that", "invalid_field_value", name)
        for name, asked, shown in (
            ("campaignId", conditions.campaign_id, viewer.campaign_id),
            ("accountId", conditions.account_id, viewer.account_id),
        )
        if asked and shown and asked != shown
    ]
    if viewer.detail is ViewDetail.BUSY and (
        conditions.platform
        or conditions.tags
        or conditions.account_id
        or conditions.import_id
        or conditions.campaign_id not in (None, viewer.campaign_id)
    ):
        # The answers would say which posts have that.
        problems += [Problem("This calendar view shows times only", "invalid_field_value")]
    if problems:
        raise InvalidRequest(problems)
    return replace(
        conditions,
        campaign_id=viewer.campaign_id or conditions.campaign_id,
        account_id=viewer.account_id or conditions.account_id,
    )


def hide(calendar: CalendarView, viewer: Viewer) -> CalendarView:
    """Return a calendar without what a view does not show."""
    pauses = [
        pause
        for pause in calendar["pauses"]
        if pause["scope"] == PauseScope.WORKSPACE
        or (viewer.account_id and pause.get("accountId") == viewer.account_id)
        or (viewer.campaign_id and pause.get("campaignId") == viewer.campaign_id)
    ]
    calendar["pauses"] = pauses
    if viewer.detail is ViewDetail.CONTENT:
        return calendar
    for pause in pauses:
        pause["reason"] = None
        if viewer.detail is ViewDetail.BUSY:
            _keep(pause, CalendarPauseView.__required_keys__)
    for post in (post for day in calendar["days"] for post in day["posts"]):
        _keep(post, CalendarPostView.__required_keys__ | _SHOWN[viewer.detail])
        if viewer.detail is ViewDetail.BUSY:
            post["text"], post["targets"] = "", []
        post["text"] = first_line(post["text"])
        for target in post["targets"]:
            target["username"], target["accountId"] = None, ""
    return calendar


def _keep(view: CalendarPostView | CalendarPauseView, names: Collection[str]) -> None:
    for name in set(view) - set(names):
        cast("JsonObject", view).pop(name)


def first_line(text: str) -> str:
    """Return the first line of a text that is not empty."""
    return text.strip().partition("\n")[0].strip()


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


MOST_FOLLOWERS = 50
"""Requests of one workspace that wait for its calendar in one process, and as many by its views; our choice."""
_APART_S = 1.0
"""About how many seconds lie between two reads of a calendar by one request: many events are seen by one of them."""


async def read_changed_days(
    deps: Dependencies, request: HttpRequest, workspace_id: str, query: CalendarQuery, deadline: Deadline
) -> bytes:
    """Return a calendar as soon as it is not the one that the caller has, or at the deadline.

    The caller learns of no event, only whether what it may see has changed. Raises as `read_days`, and Unauthorized
    if the caller's token is revoked meanwhile.
    """
    viewer = request_viewer(request)
    body = b""

    async def has_changed() -> bool:
        nonlocal body
        if body:
            await _pause(deadline)
            await readmit(request)
        while True:
            try:
                body = write_json(await read_days(deps, request, workspace_id, viewer, query))
            except TooManyRequests:
                # The same event has woken others, who read first.
                if not body or not deadline.seconds_left:
                    raise
                await _pause(deadline)
            else:
                return not has_current(request, entity_tag(body))

    if deadline.seconds_left:
        # If a long transaction or a restore is under way, the calendar is read again at the deadline alone.
        with suppress(Unavailable):
            await listen(deps, workspace_id)
    await deps.feeds.wait_for_event(workspace_id, has_changed, deadline.seconds_left)
    return body


async def _pause(deadline: Deadline) -> None:
    # Not all at the same moment.
    await asyncio.sleep(min(random.uniform(0.5, 1.5) * _APART_S, deadline.seconds_left))  # noqa: S311 no secret


MOST_TIMELINE_DAYS = 4_000
"""Days of a timeline: posts are kept for years, and may be scheduled five years ahead."""
_NO_CAMPAIGN = Problem("This workspace has no such campaign", "not_found")
_TOO_MANY_OF_CAMPAIGN = Problem(
    f"The campaign has more than {MOST_COUNTED:,} posts, or too many days", "invalid_field_value"
)


@view("TimelineDay")
class TimelineDayView(TypedDict):
    """The posts of a campaign on one day."""

    date: Annotated[str, described("The day, in the timeline's `timezone`.", "2030-12-03")]
    total: Annotated[int, described("How many posts it has.", 12)]
    statuses: Annotated[dict[str, int], described("How many of each status.", {"scheduled": 11, "draft": 1})]
    platforms: Annotated[dict[str, int], example({"twitter": 12})]
    """How many for each platform; a post to several counts for each."""


@view("Timeline")
class TimelineView(TypedDict):
    """The days of a campaign."""

    timezone: Annotated[str, described("The time zone in which the days begin and end.", "Europe/Berlin")]
    days: Annotated[list[TimelineDayView], described("Those with posts, the first one first.")]
    withoutTime: Annotated[int, described("How many drafts have no time, and so no day.", 3)]


async def read_timeline(
    deps: Dependencies, workspace_id: str, viewer: Viewer | None, campaign_id: str, zone: str | None
) -> TimelineView:
    """Return the timeline of a campaign, by default in its own zone. Raises NotFound, InvalidRequest."""
    if not campaign_id.isprintable() or (viewer and not _shows(viewer, campaign_id)):
        raise NotFound(_NO_CAMPAIGN)
    async with deps.database.reading() as session:
        campaign = await find_row(session, Campaign, workspace_id, campaign_id)
    if campaign is None:
        raise NotFound(_NO_CAMPAIGN)
    zone = zone or campaign.timezone
    with deps.counts.take(f"views.{workspace_id}" if viewer else workspace_id):
        period = await read_period(deps.database, workspace_id, campaign_id, MOST_COUNTED)
        answer = TimelineView(timezone=zone, days=[], withoutTime=period.timeless)
        if period.first is None or period.last is None:
            return answer
        clock = parse_zone(zone)
        first, last = (moment.astimezone(clock).date() for moment in (period.first, period.last))
        if period.total > MOST_COUNTED or (last - first).days >= MOST_TIMELINE_DAYS:
            raise InvalidRequest(_TOO_MANY_OF_CAMPAIGN)
        dates = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        beginnings = [day_beginning(date, clock) for date in dates]
        counts = await count_days(deps.database, workspace_id, campaign_id, beginnings, MOST_COUNTED)
    days: dict[int, TimelineDayView] = {}
    for count in counts:
        day = days.setdefault(
            count.day, {"date": dates[count.day].isoformat(), "total": 0, "statuses": {}, "platforms": {}}
        )
        if count.status is not None:
            day["statuses"][count.status] = count.posts
            day["total"] += count.posts
        elif count.platform is not None and not (viewer and viewer.detail is ViewDetail.BUSY):
            day["platforms"][count.platform] = count.posts
    answer["days"] = list(days.values())
    return answer


def _shows(viewer: Viewer, campaign_id: str) -> bool:
    """Return whether a view shows all posts of a campaign, and that they belong to it."""
    any_campaign = viewer.campaign_id is None and viewer.detail is not ViewDetail.BUSY
    return viewer.account_id is None and (any_campaign or viewer.campaign_id == campaign_id)
