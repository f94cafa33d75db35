"""The search for a post among the newest of its author."""

from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from platforms.base import PublishContext, Published
from platforms.errors import ErrorKind, PlatformError
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.reddit.connection import RedditConnection, call
from platforms.reddit.rules import RedditPostType, post_type_of, words_of
from platforms.reddit.settings import RedditSettings
from platforms.steps.matching import MatchingPost, earliest_unclaimed, has_same_words

PAGE = 100
"""Posts per page, the most that Reddit returns."""
_URL = "https://www.reddit.com"


async def find(
    connection: RedditConnection, context: PublishContext[RedditSettings], sent_at: datetime
) -> Published | None:
    """Return the author's post of the same title in the same subreddit, made since shortly before `sent_at`.

    Raises PlatformError.
    """
    query: dict[str, str | int] = {"sort": "new", "limit": PAGE, "raw_json": 1}
    listing = await call(connection, "GET", f"/user/{segment(connection.account.username)}/submitted", params=query)
    data = listing.get("data")
    children = data.get("children") if isinstance(data, dict) else None
    if not isinstance(children, list):
        raise PlatformError(ErrorKind.TRANSIENT, "Reddit's list of posts cannot be read.", code="unreadable_answer")
    same = (child["data"] for child in children if _same(child["data"], context))
    alike = (MatchingPost(Published(str(post["name"]), _URL + post["permalink"]), _made_at(post)) for post in same)
    return earliest_unclaimed(context, alike, since=sent_at)


def _made_at(post: dict[str, Any]) -> datetime:
    return moment(post.get("created_utc") or 0)


def _same(post: dict[str, Any], context: PublishContext[RedditSettings]) -> bool:
    draft = context.draft
    title, text = words_of(draft)
    if str(post.get("subreddit")).lower() != draft.settings.subreddit.lower():
        return False
    if not has_same_words(post.get("title"), title):
        return False
    match post_type_of(draft):
        case RedditPostType.SELF:
            return bool(post.get("is_self")) and has_same_words(post.get("selftext"), text)
        case RedditPostType.LINK:
            return _address(post.get("url")) == _address(draft.settings.url)
    return not post.get("is_self")


def _address(url: object) -> tuple[str, str, str]:
    """Return a link's host, path and query. Whether Reddit keeps an address as it was sent is unproven."""
    parts = urlsplit(unescape(str(url or "")))
    return (parts.hostname or "").removeprefix("www."), parts.path.rstrip("/"), parts.query
