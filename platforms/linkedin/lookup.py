"""The search for a post among the newest of a company page."""

import re
from datetime import datetime
from typing import Any

from platforms.base import Finding, Published
from platforms.errors import require_same, unreadable
from platforms.http.answers import ListAt
from platforms.http.untrusted import moment
from platforms.http.wire import json_object
from platforms.linkedin.access import LinkedInConnection, LinkedInContext, call
from platforms.linkedin.rules import RULES, little
from platforms.steps.matching import Likeness, MatchingPost, likeness, verdict_of_newest

PAGE = 50
_BITS_OF_THE_REST = 22
"""The bits of an id after its time."""
_HASHTAG = re.compile(r"\{hashtag\|\\?#\|([^{}|]{1,300})\}")
_ELSEWHERE = re.compile(r"https?://\S+|\(urn:li:\w+:[\w-]+\)")
_SHOWN = frozenset({"PUBLISHED", "PUBLISH_REQUESTED"})


def published(urn: str) -> Published:
    """Return the published post with this URN and its public address."""
    return Published(urn, RULES.post_id.page(urn))


def is_made_since(urn: str, since: datetime | None) -> bool:
    """Return whether a post was made since a time, by the milliseconds in its id (general knowledge, unverified)."""
    return since is not None and int(urn.rpartition(":")[2]) >> _BITS_OF_THE_REST >= int(since.timestamp() * 1000)


async def find(connection: LinkedInConnection, context: LinkedInContext, author: str, since: datetime) -> Finding:
    """Look for the post among the page's newest, made since its first send. Raises PlatformError."""
    query: dict[str, str | int] = {"q": "author", "author": author, "count": PAGE, "sortBy": "CREATED"}
    listed_at = ListAt(("elements",))
    posts = json_object(await call(connection, "GET", "/rest/posts", params=query, listed=listed_at)).get("elements")
    if not isinstance(posts, list):
        raise unreadable("LinkedIn")
    for post in posts:
        require_same("LinkedIn", post.get("author"), author)
    matching = (MatchingPost(published(str(post["id"])), _made_at(post), _likeness(post, context)) for post in posts)
    return await verdict_of_newest(context, posts, matching, since=since, most=PAGE)


def _likeness(post: dict[str, Any], context: LinkedInContext) -> Likeness:
    """Return how like ours a post is. One that shows other media is another; one that shows none may be ours."""
    if post.get("lifecycleState") not in _SHOWN:
        return Likeness.OTHER
    commentary, text = str(post.get("commentary") or ""), context.draft.text
    uploads = {upload.get("urn") for upload in context.handles.get("media", {}).values()}
    shown = _urns(post.get("content"))
    if uploads and shown and not uploads & shown:
        return Likeness.OTHER
    if _letters(commentary) == _letters(little(text)):
        return Likeness.SAME if bool(uploads) == bool(shown) else Likeness.RESEMBLES
    return min(likeness(_HASHTAG.sub(r"#\1", commentary), text), Likeness.RESEMBLES)


def _letters(commentary: str) -> str:
    """Return only letters and digits, without links and the URNs of mentions.

    Whether LinkedIn returns escapes, hashtags, mentions and links as they were sent is unproven.
    """
    plain = _ELSEWHERE.sub("", _HASHTAG.sub(r"#\1", commentary))
    return "".join(sign for sign in plain if sign.isalnum())


def _made_at(post: dict[str, Any]) -> datetime:
    return moment(post.get("createdAt") or 0, per_second=1000)


def _urns(content: Any) -> set[str | None]:
    """Return the URNs of the media that a post shows."""
    content = content if isinstance(content, dict) else {}
    images = (content.get("multiImage") or {}).get("images") or []
    thumbnail = (content.get("article") or {}).get("thumbnail")
    return {thumbnail, (content.get("media") or {}).get("id"), *(image.get("id") for image in images)} - {None}
