"""The search for a post among the newest of its author."""

from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from platforms.base import Finding, PublishContext, Published
from platforms.errors import require_same, unreadable
from platforms.http.answers import ListAt
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.reddit.connection import RedditConnection, call
from platforms.reddit.rules import RedditPostType, choose_post_type, title_and_text
from platforms.reddit.settings import RedditSettings
from platforms.steps.matching import Likeness, MatchingPost, likeness, verdict_of_newest

PAGE = 100
"""Posts per page, the most that Reddit returns."""
_URL = "https://www.reddit.com"


async def find(connection: RedditConnection, context: PublishContext[RedditSettings], sent_at: datetime) -> Finding:
    """Look for the author's post of the same title in the same subreddit, made since shortly before `sent_at`.

    Raises PlatformError.
    """
    query: dict[str, str | int] = {"sort": "new", "limit": PAGE, "raw_json": 1}
    path, listed = f"/user/{segment(connection.account.username)}/submitted", ListAt(("data", "children"))
    listing = await call(connection, "GET", path, params=query, listed=listed)
    data = listing.get("data")
    children = data.get("children") if isinstance(data, dict) else None
    if not isinstance(children, list):
        raise unreadable("Reddit")
    for child in children:
        require_same("Reddit", child["data"].get("author"), connection.account.username)
    posts = (_matching_post(child["data"], context) for child in children)
    return verdict_of_newest(context, children, posts, since=sent_at, most=PAGE)


def _matching_post(post: dict[str, Any], context: PublishContext[RedditSettings]) -> MatchingPost:
    shown = Published(str(post["name"]), _URL + post["permalink"])
    return MatchingPost(shown, moment(post.get("created_utc") or 0), _likeness(post, context))


def _likeness(post: dict[str, Any], context: PublishContext[RedditSettings]) -> Likeness:
    draft = context.draft
    title, text = title_and_text(draft)
    post_type = choose_post_type(draft)
    is_elsewhere = str(post.get("subreddit")).lower() != draft.settings.subreddit.lower()
    if is_elsewhere or bool(post.get("is_self")) is not (post_type is RedditPostType.SELF):
        return Likeness.OTHER
    match post_type:
        case RedditPostType.SELF:
            body = likeness(post.get("selftext"), text)
        case RedditPostType.LINK:
            body = _likeness_of_links(post.get("url"), draft.settings.url)
        case _:
            body = Likeness.SAME
    return min(likeness(post.get("title"), title), body)


def _likeness_of_links(shown: object, sent: str | None) -> Likeness:
    """Return how like two addresses are. Whether Reddit keeps an address as it was sent is unproven."""
    (page, query), (own_page, own_query) = _address(shown), _address(sent)
    if page != own_page:
        return Likeness.OTHER
    return Likeness.SAME if query == own_query else Likeness.RESEMBLES


def _address(url: object) -> tuple[tuple[str, str], str]:
    """Return a link's host and path, and its query."""
    parts = urlsplit(unescape(str(url or "")))
    return ((parts.hostname or "").removeprefix("www."), parts.path.rstrip("/")), parts.query
