"""The limits of a calendar view: which posts it shows, and what of them."""

from collections.abc import Collection
from dataclasses import replace
from typing import cast

from api.calendar.views import CalendarPauseView, CalendarPostView, CalendarView
from api.http.body import JsonObject
from domain.errors import InvalidRequest, Problem
from domain.pauses import PauseScope
from domain.workspaces import ViewDetail
from store.posts.list_filters import Filter
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
