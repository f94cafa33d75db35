"""The search for a post on the Page by its photos or its text, and for a story by its medium."""

from datetime import datetime
from typing import Any

from platforms.base import Absent, Finding, PublishContext, Published, Unknown
from platforms.errors import require_same
from platforms.facebook.connection import GRAPH, FacebookConnection
from platforms.facebook.media import photo_ids
from platforms.facebook.rules import RULES
from platforms.facebook.settings import FacebookSettings
from platforms.http.answers import FirstItems
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.steps.matching import Likeness, MatchingPost, earliest_unclaimed, likeness, verdict_of_newest

PAGE = 50
POST_FIELDS = "id,message,created_time,permalink_url,attachments"
STORY_FIELDS = "post_id,media_id,creation_time,url"
"""Meta's description has the edge, but not its fields: unverified."""


async def find_post(
    connection: FacebookConnection, context: PublishContext[FacebookSettings], sent_at: datetime
) -> Finding:
    """Look for the post among the Page's newest. Raises PlatformError if the search fails."""
    path = f"/{segment(connection.account.user_id)}/published_posts"
    posts = await GRAPH.get_list(connection, path, fields=POST_FIELDS, limit=str(PAGE))
    matching = (_matching_post(connection, post, _likeness(post, context)) for post in posts)
    return verdict_of_newest(context, posts, matching, since=sent_at, most=PAGE)


async def find_video(
    connection: FacebookConnection, context: PublishContext[FacebookSettings], video_id: str
) -> Published | None:
    """Look among the Page's newest posts for the one that shows a video, in case the video itself cannot be read."""
    path = f"/{segment(connection.account.user_id)}/published_posts"
    posts = await GRAPH.get_list(connection, path, fields=POST_FIELDS, limit=str(PAGE))
    return earliest_unclaimed(
        context, (_matching_post(connection, post) for post in posts if video_id in _media_ids(post))
    )


def require_own(connection: FacebookConnection, post_id: str, *, public: bool = False) -> str:
    """Return a post's id. Raises PlatformError if it names another Page; a story's names none."""
    page, _, number = post_id.partition("_")
    require_same("Facebook", page if number else None, connection.account.user_id, public=public)
    return post_id


def _matching_post(
    connection: FacebookConnection, post: dict[str, Any], like: Likeness = Likeness.SAME
) -> MatchingPost:
    require_own(connection, str(post["id"]))
    url = post.get("permalink_url") or RULES.post_id.page(post["id"])
    return MatchingPost(Published(str(post["id"]), url), moment(post["created_time"]), like)


def _likeness(post: dict[str, Any], context: PublishContext[FacebookSettings]) -> Likeness:
    ours, shown = set(photo_ids(context.handles)), set(_media_ids(post))
    if ours and shown:
        return Likeness.SAME if ours & shown else Likeness.OTHER
    if ours and not _entries(post, "attachments"):
        return Likeness.OTHER
    return likeness(post.get("message"), context.draft.text)


def _media_ids(post: dict[str, Any]) -> list[str]:
    attachments = _entries(post, "attachments")
    nested = [below for attachment in attachments for below in _entries(attachment, "subattachments")]
    targets = [attachment.get("target") or {} for attachment in (*attachments, *nested)]
    return [str(target["id"]) for target in targets if target.get("id")]


def _entries(holder: dict[str, Any], edge: str) -> list[dict[str, Any]]:
    return (holder.get(edge) or {}).get("data") or []


async def find_story(
    connection: FacebookConnection, context: PublishContext[FacebookSettings], media_id: str, sent_at: datetime
) -> Finding:
    """Look for a story among those of the day. If one may be ours under another id, ours must not be sent again."""
    stories = await GRAPH.get_list(connection, f"/{segment(connection.account.user_id)}/stories", fields=STORY_FIELDS)
    for story in stories:
        if str(story.get("media_id")) == media_id and story.get("post_id"):
            return Published(str(story["post_id"]), story.get("url") or RULES.post_id.page(str(story["post_id"])))
    unnamed = (
        MatchingPost(Published(str(story.get("post_id")), None), moment(story.get("creation_time", 0)))
        for story in stories
        if "media_id" not in story
    )
    if earliest_unclaimed(context, unnamed, since=sent_at):
        return Unknown()
    return Unknown(is_cut=True) if isinstance(stories, FirstItems) else Absent()
