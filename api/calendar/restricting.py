"""The limits of a calendar view: which posts it shows, and what of them."""

from dataclasses import replace

from api.calendar.views import CalendarView
from domain.calendar_views import ViewDetail
from domain.errors import InvalidRequest, Problem
from domain.pauses import PauseScope
from store.posts.list_filters import Filter
from store.workspaces.calendar_views import Viewer


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
            pause.pop("platform", None)
            pause.pop("accountId", None)
            pause.pop("campaignId", None)
    for day in calendar["days"]:
        for post in day["posts"]:
            post.pop("warnings", None)
            post.pop("thumbnail", None)
            post.pop("campaignId", None)
            post.pop("seriesId", None)
            if viewer.detail is ViewDetail.TITLE:
                post["text"] = first_line(post["text"])
                for target in post["targets"]:
                    target["username"], target["accountId"] = None, ""
            else:
                post["text"], post["targets"] = "", []
                post.pop("waitsFor", None)
                post.pop("moreTargets", None)
    return calendar


def first_line(text: str) -> str:
    """Return the first line of a text that is not empty."""
    return text.strip().partition("\n")[0].strip()
