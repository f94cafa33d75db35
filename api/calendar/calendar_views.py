"""Make, list and revoke the calendar views of a workspace."""

from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from api.auth import request_caller
from api.dependencies import Dependencies
from api.errors import Forbidden
from api.http.headers import HttpRequest
from api.posts.addresses import api_base
from api.posts.bodies.schemas import Name, RequestModel
from api.posts.campaign_rules import UNKNOWN_CAMPAIGN
from api.views import Moment, described, view
from domain.api_keys import Scope
from domain.errors import NotFound, Problem, TooManyRequests, Unprocessable
from domain.schedule import rfc3339
from domain.workspaces import MOST_VIEWS, ViewDetail
from store.models import CalendarView, Campaign, ConnectedAccount
from store.rows import find_row, newest_rows
from store.workspaces.calendar_views import NewView, create_view, delete_view

LONGEST_NAME = 100
_UNKNOWN = Problem("This workspace has no such calendar view", "not_found")
_UNKNOWN_ACCOUNT = Problem("The workspace has no account of this id", "account_not_found", "accountId")
_TOO_MANY = Problem(f"This workspace may have {MOST_VIEWS} calendar views: delete one first", "too_many_views")


class CalendarViewBody(RequestModel):
    """The posts that a calendar view shows, and what of them."""

    model_config = ConfigDict(title="CalendarViewOptions")

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] | None = Field(
        None, description="Your name for it, such as who gets it.", examples=["Agency"]
    )
    campaign_id: Name | None = Field(
        None,
        description="Show only the posts of this campaign.",
        examples=["cmp_019bc10e51307c4f8d2b7f3a6c0e9d41"],
    )
    account_id: Name | None = Field(None, description="Show only the posts to this account.", examples=["ig_123"])
    show: Literal["content", "title", "busy"] = Field(
        "title",
        description=(
            "`content`: what the calendar shows. `title`: the first line of the text, platforms and status; the "
            "default. `busy`: time and status."
        ),
        examples=["title"],
    )


@view("CalendarViewEntry")
class CalendarViewEntryView(TypedDict):
    """A calendar that everybody may see who has its address."""

    id: Annotated[str, described("The view's id.", "view_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    name: Annotated[str | None, described("Its name.", "Agency")]
    campaignId: Annotated[
        str | None, described("The only campaign that it shows.", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")
    ]
    accountId: Annotated[str | None, described("The only account whose posts it shows.", "ig_123")]
    show: Annotated[ViewDetail, described("What it shows of each post.", "title")]
    createdAt: Annotated[Moment, described("When it was made.")]
    createdBy: Annotated[
        str | None, described("The id of the key that made it.", "key_019bc10e51307c4f8d2b7f3a6c0e9d41")
    ]
    lastUsedAt: Annotated[Moment | None, described("When it was last used, up to a minute behind.")]
    token: NotRequired[
        Annotated[str, described("Its token, only when it is made.", "cal_4mYkqFJXo0yqk3L1mRr2vPzXw8sTn5bJ7uHcD9eGfA0")]
    ]
    pageUrl: NotRequired[
        Annotated[
            str,
            described(
                "The page that shows it; only when it is made.",
                "https://posts.example.com/calendar#view=cal_4mYkqFJXo0yqk3L1mRr2vPzXw8sTn5bJ7uHcD9eGfA0",
            ),
        ]
    ]
    icsUrl: NotRequired[
        Annotated[
            str,
            described(
                "The feed for calendar programs; only when it is made.",
                "https://posts.example.com/calendar.ics?token=cal_4mYkqFJXo0yqk3L1mRr2vPzXw8sTn5bJ7uHcD9eGfA0",
            ),
        ]
    ]


@view("CalendarViews")
class CalendarViewsView(TypedDict):
    """The calendar views of a workspace."""

    views: Annotated[list[CalendarViewEntryView], described("All of them, the newest first.")]


@view("CalendarViewDeletion")
class DeletedCalendarViewView(TypedDict):
    """A calendar view that was deleted."""

    id: Annotated[str, described("The view's id.", "view_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    deleted: Annotated[bool, described("Always true.", True)]


async def create(
    deps: Dependencies, request: HttpRequest, workspace_id: str, body: CalendarViewBody
) -> CalendarViewEntryView:
    """Create a view, and return it with its token. Raises Forbidden, Unprocessable, TooManyRequests."""
    if Scope.READ not in request_caller(request).scopes:
        raise Forbidden(Scope.READ)
    async with deps.database.transaction() as session:
        if body.campaign_id and await find_row(session, Campaign, workspace_id, body.campaign_id) is None:
            raise Unprocessable(UNKNOWN_CAMPAIGN)
        if body.account_id and await find_row(session, ConnectedAccount, workspace_id, body.account_id) is None:
            raise Unprocessable(_UNKNOWN_ACCOUNT)
        new_view = await create_view(
            session,
            workspace_id,
            name=body.name,
            campaign_id=body.campaign_id,
            account_id=body.account_id,
            detail=ViewDetail(body.show),
            created_by=request_caller(request).key_id,
        )
    if new_view is None:
        raise TooManyRequests(_TOO_MANY, retry_after=60)
    return _with_addresses(new_view, api_base(deps, request))


async def list_all(deps: Dependencies, workspace_id: str) -> CalendarViewsView:
    """Return all views of a workspace."""
    async with deps.database.reading() as session:
        return CalendarViewsView(views=[_entry(row) for row in await newest_rows(session, CalendarView, workspace_id)])


async def delete(deps: Dependencies, workspace_id: str, view_id: str) -> DeletedCalendarViewView:
    """Revoke a view. Raises NotFound."""
    async with deps.database.transaction() as session:
        if not (view_id.isprintable() and await delete_view(session, workspace_id, view_id)):
            raise NotFound(_UNKNOWN)
    return DeletedCalendarViewView(id=view_id, deleted=True)


def _with_addresses(new_view: NewView, base: str) -> CalendarViewEntryView:
    query = f"?view=campaign&campaignId={new_view.row.campaign_id}" if new_view.row.campaign_id else ""
    return _entry(new_view.row) | {
        "token": new_view.token,
        "pageUrl": f"{base}/calendar{query}#view={new_view.token}",
        "icsUrl": f"{base}/calendar.ics?token={new_view.token}",
    }


def _entry(row: CalendarView) -> CalendarViewEntryView:
    return CalendarViewEntryView(
        id=row.id,
        name=row.name,
        campaignId=row.campaign_id,
        accountId=row.account_id,
        show=ViewDetail(row.show),
        createdAt=rfc3339(row.created_at),
        createdBy=row.created_by,
        lastUsedAt=rfc3339(row.last_used_at) if row.last_used_at else None,
    )
