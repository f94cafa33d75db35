"""Make, list and revoke calendar views, and serve their feeds to calendar programs (RFC 5545).

The address of a feed holds the view's token, because calendar programs send no header.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NotRequired
from urllib.parse import parse_qs

from icalendar import Calendar, Event
from litestar import Controller, Response, get
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from api.auth import admit_viewer, request_caller
from api.calendar.days import first_line
from api.dependencies import Dependencies, Deps, api_base
from api.errors import Forbidden, Unauthorized
from api.http.headers import HttpRequest, entity_tag, has_current
from api.posts.bodies.schemas import Name, RequestModel
from api.posts.times import UNKNOWN_CAMPAIGN
from api.views import Moment, described, example, view
from domain.api_keys import Scope
from domain.errors import NotFound, Problem, TooManyRequests, Unprocessable
from domain.post import PostStatus, status_shown
from domain.schedule import rfc3339
from domain.workspaces import MOST_VIEWS, ViewDetail
from platforms.registry import platforms
from store.models import CalendarView, Campaign, ConnectedAccount
from store.posts.calendar import FeedPost, read_feed
from store.posts.list_filters import Filter
from store.rows import find_row, newest_rows
from store.workspaces.calendar_views import NewView, Viewer, create_view, delete_view

LONGEST_NAME = 100
_UNKNOWN = Problem("This workspace has no such calendar view", "not_found")
_UNKNOWN_ACCOUNT = Problem("The workspace has no account of this id", "account_not_found", "accountId")
_TOO_MANY = Problem(f"This workspace may have {MOST_VIEWS} calendar views: delete one first", "too_many_views")


class CalendarViewBody(RequestModel):
    """The posts that a calendar view shows, and what of them."""

    model_config = ConfigDict(title="CalendarViewOptions")

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] | None = Field(None, examples=["Agency"])
    """Your name for it, such as who gets it."""
    campaign_id: Name | None = Field(None, examples=["cmp_019bc10e51307c4f8d2b7f3a6c0e9d41"])
    """Show only the posts of this campaign."""
    account_id: Name | None = Field(None, description="Show only the posts to this account.", examples=["ig_123"])
    show: Literal["content", "title", "busy"] = Field("title", examples=["title"])
    """`content`: what the calendar shows. `title`: the first line of the text, platforms and status; the default.
    `busy`: time and status."""


@view("CalendarViewEntry")
class CalendarViewEntryView(TypedDict):
    """A calendar that everybody may see who has its address."""

    id: Annotated[str, described("The view's id.", "view_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    name: Annotated[str | None, described("Its name.", "Agency")]
    campaignId: Annotated[str | None, example("cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    """The only campaign that it shows."""
    accountId: Annotated[str | None, described("The only account whose posts it shows.", "ig_123")]
    show: Annotated[ViewDetail, described("What it shows of each post.", "title")]
    createdAt: Annotated[Moment, described("When it was made.")]
    createdBy: Annotated[str | None, example("key_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    """The id of the key that made it."""
    lastUsedAt: Annotated[Moment | None, described("When it was last used, up to a minute behind.")]
    token: NotRequired[Annotated[str, example("cal_4mYkqFJXo0yqk3L1mRr2vPzXw8sTn5bJ7uHcD9eGfA0")]]
    """Its token, only when it is made."""
    pageUrl: NotRequired[
        Annotated[
            str, example("https://posts.example.com/calendar#view=cal_4mYkqFJXo0yqk3L1mRr2vPzXw8sTn5bJ7uHcD9eGfA0")
        ]
    ]
    """The page that shows it; only when it is made."""
    icsUrl: NotRequired[
        Annotated[
            str, example("https://posts.example.com/calendar.ics?token=cal_4mYkqFJXo0yqk3L1mRr2vPzXw8sTn5bJ7uHcD9eGfA0")
        ]
    ]
    """The feed for calendar programs; only when it is made."""


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


_MISSING = Problem("The address of the feed is not complete: it ends with ?token=cal_…", "invalid_credentials")
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Disposition": 'inline; filename="posts.ics"',
    "X-Content-Type-Options": "nosniff",
}
_TYPE = "text/calendar"


class CalendarFeed(Controller):
    """Route to the feeds of calendar views."""

    @get("/calendar.ics")
    async def calendar_feed(self, request: HttpRequest, deps: Deps) -> Response[bytes]:
        """Return the feed of the view whose token is in the query; 304 if the caller has it."""
        viewer = await admit_viewer(request, deps, _read_token(request))
        posts = await feed_posts(deps, viewer)
        # The rows' tag, not the text's: a program that has the feed already costs no writing of it.
        tag = entity_tag(repr((viewer.detail, posts)).encode())
        headers = {"ETag": tag, **_HEADERS}
        if has_current(request, tag):
            return Response(b"", status_code=304, headers=headers, media_type=_TYPE)
        return Response(await write_feed(posts, viewer.detail), headers=headers, media_type=_TYPE)


def _read_token(request: HttpRequest) -> str:
    """Return the only parameter of the query. Raises Unauthorized."""
    try:
        query = parse_qs(request.scope["query_string"].decode("latin-1"), max_num_fields=10)
    except ValueError:
        raise Unauthorized(_MISSING) from None
    tokens = query.get("token", [])
    if len(tokens) != 1:
        raise Unauthorized(_MISSING)
    return tokens[0]


_SHOWN_FOR = timedelta(minutes=15)
"""The length of an event: a post has none, and programs do not show events without one."""
_REFRESH = timedelta(hours=1)
_LONGEST_TITLE = 80
_WORDS = {
    PostStatus.DRAFT: "Draft",
    PostStatus.SCHEDULED: "",
    PostStatus.PUBLISHING: "Publishing",
    PostStatus.PUBLISHED: "Published",
    PostStatus.PARTIAL: "Partly published",
    PostStatus.FAILED: "Failed",
}


async def feed_posts(deps: Dependencies, viewer: Viewer) -> Sequence[FeedPost]:
    """Return the posts that a view's feed has now. Raises TooManyRequests."""
    now = datetime.now(UTC)
    conditions = Filter(campaign_id=viewer.campaign_id, account_id=viewer.account_id, now=now)
    with deps.counts.take(f"views.{viewer.workspace_id}"):
        posts = await read_feed(deps.database, viewer.workspace_id, conditions, now, viewer.account_id)
    # A status that is shown may differ from that of the row as time passes.
    return [post._replace(status=status_shown(PostStatus(post.status), post.due_at, now).value) for post in posts]


async def write_feed(posts: Sequence[FeedPost], detail: ViewDetail) -> bytes:
    """Return the feed. It is written in a thread: thousands of events take a second."""
    return await asyncio.to_thread(_write, posts, detail)


def _write(posts: Sequence[FeedPost], detail: ViewDetail) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//socialsyncer//Posts//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", "Posts")
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", _REFRESH)
    beginning, end, _ = calendar.to_ical().partition(b"END:VCALENDAR")
    # Event by event: thousands of them in memory would have the garbage collector stop the process for long.
    return b"".join((beginning, *(_event(post, detail).to_ical() for post in posts), end, b"\r\n"))


def _event(post: FeedPost, detail: ViewDetail) -> Event:
    event = Event()
    event.add("uid", post.id)
    event.add("sequence", post.version)
    event.add("dtstamp", post.updated_at)
    event.add("last-modified", post.updated_at)
    event.add("dtstart", post.scheduled_for)
    event.add("dtend", post.scheduled_for + _SHOWN_FOR)
    event.add("summary", _summary(post, detail))
    if detail is ViewDetail.CONTENT and post.text:
        event.add("description", post.text)
    event.add("status", "TENTATIVE" if post.status == PostStatus.DRAFT else "CONFIRMED")
    # A post does not take anybody's time.
    event.add("transp", "TRANSPARENT")
    return event


def _summary(post: FeedPost, detail: ViewDetail) -> str:
    status = _WORDS[PostStatus(post.status)]
    if detail is ViewDetail.BUSY:
        return status or "Scheduled"
    labels = ", ".join(platforms()[name].label for name in post.platforms)
    title = first_line(post.text)[:_LONGEST_TITLE] or "No text"
    return f"{f'{status}: ' if status else ''}{title}{f' ({labels})' if labels else ''}"
