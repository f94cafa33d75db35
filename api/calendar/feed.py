"""The feed of a calendar view for calendar programs (RFC 5545), and its address.

The address holds the view's token, because calendar programs send no header.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from icalendar import Calendar, Event
from litestar import Controller, Response, get

from api.auth import admit_viewer
from api.calendar.days import first_line
from api.dependencies import Dependencies, Deps
from api.errors import Unauthorized
from api.http.headers import HttpRequest, entity_tag, has_current
from domain.errors import Problem
from domain.post import PostStatus, status_shown
from domain.workspaces import ViewDetail
from platforms.registry import platforms
from store.posts.calendar import FeedPost, read_feed
from store.posts.list_filters import Filter
from store.workspaces.calendar_views import Viewer

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
