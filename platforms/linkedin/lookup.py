"""The search for a post among the newest of a company page."""

import re
from datetime import datetime
from typing import Any

from platforms.base import PublishContext, Published
from platforms.errors import ErrorKind, PlatformError
from platforms.http.untrusted import moment
from platforms.http.wire import json_of
from platforms.linkedin.connection import LinkedInConnection, call
from platforms.linkedin.little import little
from platforms.linkedin.rules import RULES
from platforms.linkedin.settings import LinkedInSettings
from platforms.steps.matching import MatchingPost, earliest_unclaimed

PAGE = 50
_HASHTAG = re.compile(r"\{hashtag\|\\?#\|([^{}|]{1,300})\}")
_ELSEWHERE = re.compile(r"https?://\S+|\(urn:li:\w+:[\w-]+\)")
_SHOWN = frozenset({"PUBLISHED", "PUBLISH_REQUESTED"})


def published(urn: str) -> Published:
    """Return the published post with this URN and its public address."""
    return Published(urn, RULES.post_id.page(urn))


async def find(
    connection: LinkedInConnection, context: PublishContext[LinkedInSettings], author: str
) -> Published | None:
    """Return the page's post with the text that was sent, made since its first send. Raises PlatformError."""
    query: dict[str, str | int] = {"q": "author", "author": author, "count": PAGE, "sortBy": "CREATED"}
    posts = json_of(await call(connection, "GET", "/rest/posts", params=query)).get("elements")
    if not isinstance(posts, list):
        raise PlatformError(ErrorKind.TRANSIENT, "LinkedIn's list of posts cannot be read.", code="unreadable_answer")
    since = datetime.fromisoformat(context.handles["sentAt"])
    text = _letters(little(context.draft.text))
    uploads = {upload.get("urn") for upload in context.handles.get("media", {}).values()}

    def ours(post: dict[str, Any]) -> bool:
        same = _letters(str(post.get("commentary") or "")) == text
        shows = not uploads or bool(_urns(post.get("content")) & uploads)
        return same and shows and post.get("lifecycleState") in _SHOWN

    alike = (MatchingPost(published(str(post["id"])), _made_at(post)) for post in filter(ours, posts))
    return earliest_unclaimed(context, alike, since=since)


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
