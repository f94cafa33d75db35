"""The address of a calendar view's feed. It holds the view's token, because calendar programs send no header."""

from urllib.parse import parse_qs

from litestar import Controller, Response, get

from api.auth import admit_viewer
from api.calendar.feed import feed_posts, write_feed
from api.dependencies import Deps
from api.errors import Unauthorized
from api.http.etags import entity_tag, has_current
from api.http.headers import HttpRequest
from domain.errors import Problem

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
